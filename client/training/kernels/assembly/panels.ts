/**
 * Products with an operand that is packed once and used many times: the matrix of a recurrence, the keys of a head. A
 * panel holds eight columns, `inner` steps of 32 bytes; columns that are not there are zeros.
 */
import { packVectorPanel } from './gemm';
import { multiplyPanel } from './tiles';

// @ts-ignore: decorator
@inline
export function upTo8(n: i32): i32 {
  return (n + 7) & ~7;
}

// @ts-ignore: decorator
@inline
export function upTo4(n: i32): i32 {
  return (n + 3) & ~3;
}

/** Numbers that the panels of a `[inner, columns]` matrix take. */
// @ts-ignore: decorator
@inline
export function panelNumbers(inner: i32, columns: i32): i32 {
  return inner * upTo8(columns);
}

/** Packs a matrix whose steps and columns are so many bytes apart, one of them 4. */
export function packPanels(from: usize, innerStep: usize, columnStep: usize, inner: i32, columns: i32, to: usize): void {
  for (let j = 0; j < columns; j += 8, from += columnStep << 3, to += <usize>inner << 5) {
    packVectorPanel(from, innerStep, columnStep, min(8, columns - j), inner, to);
  }
}

/**
 * c `[m, n]` = a `[m, inner]` times the first `inner` steps of panels of `packed` steps; with `add`, c += that. What
 * sticks out of the last tile of c goes through `edge`, `EDGE_BYTES` (up to four rows: 128).
 */
export function multiplyPanels(
  a: usize, aRow: usize, panels: usize, packed: i32, c: usize, cRow: usize, m: i32, n: i32, inner: i32, add: bool,
  edge: usize,
): void {
  for (let j = 0; j < n; j += 8, panels += <usize>packed << 5, c += 32) {
    multiplyPanel(a, aRow, 4, m, min(8, n - j), panels, 32, inner, 0, c, cRow, false, add, edge);
  }
}

/**
 * One coordinate of the rule and of the server step in integers of any size, written for a judge: plain, apart from the
 * kernels that aggregate whole chunks, and defined for every mixing matrix of the right shape that somebody may have
 * published. The Solidity twin is contracts/libraries/CoordinateStep.sol; spec: docs/spec/rules.md.
 */
import type { Rule } from '../aggregation/rule.ts';
import type { ServerStep } from '../aggregation/serverStep.ts';
import { INT32_MAX, INT32_MIN } from '../encoding/fixedPoint.ts';
import { malformed } from './disputedRound.ts';

/** A mixing matrix as its preimage spells it; entries are any int32. */
export interface ReadMixing {
  readonly rows: number;
  readonly denominator: number;
  weight(row: number, column: number): bigint;
}

/** The shape that a rule's mixing matrix has for n updates. */
export function mixingShape(rule: Rule, n: number): { readonly rows: number; readonly denominator: number } {
  const f = rule.byzantine;
  if (rule.preAggregations[0] === 'nearestNeighborMixing') return { rows: n, denominator: n - f };
  return { rows: rule.selected === 0 ? n - f : rule.selected, denominator: 1 };
}

/**
 * 0x20 | u16 m | u16 n | u32 denominator | m * n * i32.
 * @throws AssayError `PROOF_MALFORMED` for another shape than the rule's: that is bad mixing's business.
 */
export function readMixing(rule: Rule, n: number, preimage: Uint8Array): ReadMixing {
  const { rows, denominator } = mixingShape(rule, n);
  const view = new DataView(preimage.buffer, preimage.byteOffset, preimage.length);
  if (
    preimage.length !== 9 + 4 * rows * n ||
    view.getUint8(0) !== 0x20 ||
    view.getUint16(1) !== rows ||
    view.getUint16(3) !== n ||
    view.getUint32(5) !== denominator
  ) {
    throw malformed('the mixing matrix has not the shape that the rule gives it', `${rows} x ${n} over ${denominator}`);
  }
  return { rows, denominator, weight: (r, i) => BigInt(view.getInt32(9 + 4 * (r * n + i))) };
}

/**
 * The next model coordinate and velocity, and `direction`, in which the model moves: FedAvg's delta or the velocity.
 * @param column the updates' coordinate, in row order
 * @param mixing null for a rule without
 * @param shift F - G
 * @param velocity null for a stateless step
 */
export function recomputeCoordinate(
  rule: Rule,
  step: ServerStep,
  shift: number,
  column: readonly bigint[],
  mixing: ReadMixing | null,
  model: bigint,
  velocity: bigint | null,
): { readonly model: bigint; readonly velocity: bigint | null; readonly direction: bigint } {
  const mixed =
    mixing === null
      ? [...column]
      : Array.from({ length: mixing.rows }, (_, r) => column.reduce((sum, q, i) => sum + mixing.weight(r, i) * q, 0n));
  const { numerator, denominator } = combine(rule, mixed);
  const delta = (numerator << BigInt(shift)) / (denominator * BigInt(mixing?.denominator ?? 1));
  let direction = delta;
  if (velocity !== null) direction = saturate((BigInt(step.momentumQ16) * velocity) / 65_536n + delta);
  const velocityAfter = velocity === null ? null : direction;
  return { model: moveCoordinate(step, model, direction), velocity: velocityAfter, direction };
}

/** The next model coordinate. `direction`: FedAvg's delta, FedAvgM's next velocity. */
export function moveCoordinate(step: ServerStep, model: bigint, direction: bigint): bigint {
  return saturate(model + (BigInt(step.learningRateQ16) * direction) / 65_536n);
}

function combine(rule: Rule, values: bigint[]): { readonly numerator: bigint; readonly denominator: bigint } {
  const m = values.length;
  if (rule.combine === 'mean') return { numerator: sum(values), denominator: BigInt(m) };
  const sorted = values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (rule.combine === 'trimmedMean') {
    const kept = sorted.slice(rule.byzantine, m - rule.byzantine);
    return { numerator: sum(kept), denominator: BigInt(kept.length) };
  }
  if (m % 2 === 1) return { numerator: sorted[(m - 1) / 2]!, denominator: 1n };
  return { numerator: sorted[m / 2 - 1]! + sorted[m / 2]!, denominator: 2n };
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function saturate(x: bigint): bigint {
  if (x > BigInt(INT32_MAX)) return BigInt(INT32_MAX);
  return x < BigInt(INT32_MIN) ? BigInt(INT32_MIN) : x;
}

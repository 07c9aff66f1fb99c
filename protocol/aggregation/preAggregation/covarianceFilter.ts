/**
 * CAF(f), the covariance-bound agnostic filter (Allouah, Guerraoui, Stephan 2025, "Towards Trustworthy Federated
 * Learning with Untrusted Participants", algorithm 2). Weights c_i start at 1. While their sum C is above n - 2f:
 *
 *     mu = (1/C) sum c_i x_i         Sigma = (1/C) sum c_i (x_i - mu)(x_i - mu)^T
 *     v, lambda = greatest eigenvector and -value of Sigma
 *     c_i = c_i (1 - tau_i / max tau)        tau_i = <x_i - mu, v>^2, the maximum over rows with c_i > 0
 *
 * and the result is the mean mu of the pass whose lambda was least (the first of equal ones).
 *
 * On the Gram matrix: v = sum u_j (x_j - mu) for coefficients u, and with K_ij = <x_i - mu, x_j - mu> one step of the
 * power method is u = c * (K u). **Deterministic**: 24 steps from u = c * (column of the row with the greatest c_i
 * K_ii), where K is exact and then cut to 24 bits, u to 20, so that every sum of 100 products is below 2^51 and exact
 * in a float64; the quotients lambda are compared exactly. Weights are in 2^-14, rounded down. Each pass ends the
 * weight of at least one row.
 *
 * The eigenvector is an approximation, the same for everybody; no contract repeats it: audit only.
 *
 * Needs n > 2f, so that weight is left when the last pass ends; the paper bounds the error by the honest rows'
 * covariance times a constant that grows with f/n, without being told that covariance. Breakdown point at most 1/2, as
 * for any rule. Cost: up to n passes of O(24 n^2).
 */
import { gramEntry, type InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { greatest, total } from '../wholeNumbers.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';
import { weightedProducts } from './weightedCentre.ts';

const POWER_STEPS = 24;
const ENTRY_BITS = 24;
const COEFFICIENT_BITS = 20;

/** lambda as a quotient; the denominator is above zero. */
interface Spread {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Result: [1, n] weights 0 <= W <= 2^14 over their sum. */
export function covarianceFilter(gram: InnerProducts, rule: Rule): Mixing {
  const { n } = gram;
  let weights = new Array<number>(n).fill(WEIGHT_ONE);
  let best = weights;
  let least: Spread | null = null;
  while (sum(weights) > (n - 2 * rule.byzantine) * WEIGHT_ONE) {
    const { spread, projections } = widestDirection(gram, weights);
    if (least === null || spread.numerator * least.denominator < least.numerator * spread.denominator) {
      least = spread;
      best = weights;
    }
    if (spread.numerator === 0n) break; // all rows left are equal: nothing can be less, nothing to filter
    const squares = projections.map((projection, i) => (weights[i] === 0 ? 0n : BigInt(projection) ** 2n));
    const most = greatest(0n, ...squares);
    weights = weights.map((weight, i) => Number((BigInt(weight) * (most - squares[i]!)) / most));
  }
  return { rows: 1, columns: n, weights: Int32Array.from(best), denominator: sum(best) };
}

/** The direction in which the weighted rows spread most: lambda, and <x_i - mu, v> in some unit common to all rows. */
function widestDirection(gram: InnerProducts, weights: readonly number[]): { spread: Spread; projections: number[] } {
  const { entries, shift } = centredGram(gram, weights);
  const n = weights.length;
  const times = (u: readonly number[]) =>
    weights.map((weight, i) => {
      let product = 0;
      if (weight !== 0) for (let j = 0; j < n; j++) product += entries[i * n + j]! * u[j]!;
      return product;
    });
  let start = 0;
  for (let i = 1; i < n; i++) {
    if (weights[i]! * entries[i * n + i]! > weights[start]! * entries[start * n + start]!) start = i;
  }
  let coefficients = weights.map((weight, i) => weight * entries[i * n + start]!); // < 2^38
  for (let step = 0; step < POWER_STEPS; step++) {
    const image = toBits(times(toBits(coefficients, COEFFICIENT_BITS)), ENTRY_BITS);
    coefficients = image.map((value, i) => weights[i]! * value);
  }
  const direction = toBits(coefficients, COEFFICIENT_BITS);
  const projections = times(direction);
  // lambda = sum c p^2 / (C sum u p), where K is 2^shift / C^2 times `entries`.
  const mass = BigInt(sum(weights));
  const energy = total(projections.map((projection, i) => BigInt(weights[i]!) * BigInt(projection) ** 2n));
  const length = total(projections.map((projection, i) => BigInt(direction[i]!) * BigInt(projection)));
  const spread =
    length > 0n // a made-up Gram matrix may say that a vector's square is negative
      ? { numerator: energy << BigInt(shift), denominator: mass ** 3n * length }
      : { numerator: 0n, denominator: 1n };
  return { spread, projections };
}

/** C^2 K / 2^shift, cut to 24 bits, [n, n] row-major; zero in rows and columns without weight. */
function centredGram(gram: InnerProducts, weights: readonly number[]): { entries: Float64Array; shift: number } {
  const n = weights.length;
  const exact = weights.map(BigInt);
  const mass = total(exact);
  const products = weightedProducts(gram, exact);
  const centre = total(products.map((product, i) => exact[i]! * product));
  const values: { readonly at: number; readonly mirrored: number; readonly value: bigint }[] = [];
  let most = 0n;
  for (let i = 0; i < n; i++) {
    if (weights[i] === 0) continue;
    for (let j = i; j < n; j++) {
      if (weights[j] === 0) continue;
      const value = mass * (mass * gramEntry(gram, i, j) - products[i]! - products[j]!) + centre;
      values.push({ at: i * n + j, mirrored: j * n + i, value });
      most = greatest(most, value, -value);
    }
  }
  const shift = Math.max(most.toString(2).length - ENTRY_BITS, 0);
  const divisor = 2n ** BigInt(shift);
  const entries = new Float64Array(n * n);
  for (const { at, mirrored, value } of values) {
    entries[at] = Number(value / divisor);
    entries[mirrored] = entries[at]!;
  }
  return { entries, shift };
}

/** `values` (integers below 2^52) divided by the power of two that leaves the greatest with `bits` bits, truncated. */
function toBits(values: readonly number[], bits: number): number[] {
  const most = values.reduce((a, value) => Math.max(a, Math.abs(value)), 0);
  let divisor = 1;
  while (most / divisor >= 2 ** bits) divisor *= 2;
  return values.map((value) => Math.trunc(value / divisor));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

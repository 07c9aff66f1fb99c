/**
 * FoolsGold (Fung, Yoon, Beschastnikh 2020, "The Limitations of Federated Learning in Sybil Settings", algorithm 1):
 * rows that point the same way are taken for one attacker's many identities and lose their weight.
 *
 *     cs_ij = cos(x_i, x_j), cs_ii = 0         v_i = max_j cs_ij
 *     cs_ij = cs_ij v_i / v_j  where v_j > v_i                            (pardoning)
 *     alpha_i = 1 - max_j cs_ij, divided by the greatest alpha, 1 becoming 0.99
 *     W_i = ln(alpha_i / (1 - alpha_i)) + 0.5, within [0, 1]
 *
 * in fixed point: cosines and alpha in 2^-24, W in 2^-14, the logarithm by repeated squaring. Two choices of ours:
 * cosines are those of **this round's updates** (the paper adds up each client's history, which would be n more vectors
 * of state), and the result is the mean weighted by W, where the paper adds W_i x_i to the model. When all rows are
 * parallel nobody has weight, the aggregate is zero and the model stays.
 *
 * f is not used and there is no breakdown point: any number of identical rows is survived by one honest row, while a
 * single attacker that differs from everybody keeps full weight, and honest rows that resemble each other lose theirs.
 * Cost: O(n^2).
 */
import type { InnerProducts } from '../gram.ts';
import { greatest, least } from '../wholeNumbers.ts';
import { COSINE_ONE, fixedCosine } from './cosine.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';
import { noRow } from './selection.ts';

/** ln 2 in 2^-32. */
const LN2 = 2977044472n;
/** Bits after the point of a binary logarithm. */
const LOG_BITS = 20n;

/** Result: [1, n] weights 0 <= W <= 2^14 over their sum. */
export function foolsGold(gram: InnerProducts): Mixing {
  const { n } = gram;
  const cosines = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_unused, j) => (i === j ? 0n : fixedCosine(gram, i, j))),
  );
  const alike = cosines.map((row) => greatest(0n, ...row));
  const alphas = cosines.map(
    (row, i) =>
      COSINE_ONE -
      greatest(0n, ...row.map((cosine, j) => (alike[j]! > alike[i]! ? (cosine * alike[i]!) / alike[j]! : cosine))),
  );
  const top = greatest(0n, ...alphas);
  if (top === 0n) return noRow(n);
  const weights = Int32Array.from(alphas, (alpha) => Number(logitWeight((alpha * COSINE_ONE) / top)));
  return { rows: 1, columns: n, weights, denominator: weights.reduce((sum, weight) => sum + weight, 0) };
}

/** ln(alpha / (1 - alpha)) + 0.5 within [0, 1], rounded down to 2^-14; alpha in 2^-24, 1 standing for 0.99. */
export function logitWeight(alpha: bigint): bigint {
  if (alpha === 0n) return 0n;
  const odds = alpha === COSINE_ONE ? (COSINE_ONE * 99n) / 100n : alpha;
  const one = BigInt(WEIGHT_ONE);
  const weight = ((fixedLog2(odds, COSINE_ONE - odds) * LN2 * one) >> (LOG_BITS + 32n)) + one / 2n;
  return least(greatest(weight, 0n), one);
}

/**
 * log2(numerator / denominator) in 2^-20, rounded down at every step, for a quotient between 2^-63 and 2^63. The bits
 * after the point of log2 x, 1 <= x < 2: square x; the next bit says whether it passed 2, and if so halve it.
 */
export function fixedLog2(numerator: bigint, denominator: bigint): bigint {
  let x = (numerator << 64n) / denominator;
  let logarithm = BigInt(x.toString(2).length - 1) - 64n;
  x = logarithm >= -32n ? x >> (logarithm + 32n) : x << (-32n - logarithm); // 1 <= x < 2 in 2^-32
  for (let bit = 0n; bit < LOG_BITS; bit++) {
    x = (x * x) >> 32n;
    const passed = x >> 33n;
    logarithm = 2n * logarithm + passed;
    x >>= passed;
  }
  return logarithm;
}

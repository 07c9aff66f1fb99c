/**
 * FLTrust (Cao, Fang, Liu, Gong 2021, "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping", algorithm
 * 2). Participant `rule.reference` is the root: it trains on a small clean data set, and its row x_0 is the yardstick,
 * no part of the mean.
 *
 *     TS_i = max(0, cos(x_i, x_0))              trust score, in 2^-14, rounded down
 *     a    = sum_i TS_i (|x_0| / |x_i|) x_i  /  sum_i TS_i
 *
 * Rows are matched to the root's norm; one that is 256 times shorter or more is scaled by 256 (in int16 little but
 * rounding is left of it), and one of zeros has no direction and no weight. Weights are rounded down, so **the
 * aggregate is never longer than the root's row**. Without a root, with a root of zeros or with nobody pointing its
 * way, the aggregate is zero and the model stays.
 *
 * Any number of Byzantine rows below n - 1 is borne as long as the root is honest; a Byzantine root decides everything.
 * Cost: O(n).
 */
import { gramEntry, type InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { isqrt, least, total } from '../wholeNumbers.ts';
import { COSINE_ONE, fixedCosine } from './cosine.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';
import { noRow } from './selection.ts';
import type { MixingContext } from './stage.ts';

/** Most that a short row is scaled up: keeps a weight <= 2^14 * 2^8 and a row of 100 below 2^29. */
const MOST_SCALED = 2n ** 8n;

/** Result: [1, n] weights 0 <= W <= 2^22, zero for the root, over the sum of trust scores. */
export function flTrust(gram: InnerProducts, rule: Rule, context: MixingContext): Mixing {
  const { n } = gram;
  const root = context.indices.indexOf(rule.reference);
  if (root < 0) return noRow(n);
  const rootSquare = gramEntry(gram, root, root);
  const trust = Array.from({ length: n }, (_, i) => (i === root ? 0n : trustScore(gram, i, root)));
  const denominator = total(trust);
  if (denominator === 0n) return noRow(n);
  const weights = Int32Array.from(trust, (score, i) => {
    if (score === 0n) return 0; // includes rows of zeros
    const matched = isqrt((score * score * rootSquare) / gramEntry(gram, i, i));
    return Number(least(matched, score * MOST_SCALED));
  });
  return { rows: 1, columns: n, weights, denominator: Number(denominator) };
}

/** max(0, cos) in 2^-14, rounded down. */
function trustScore(gram: InnerProducts, i: number, root: number): bigint {
  const cosine = fixedCosine(gram, i, root);
  return cosine > 0n ? (cosine * BigInt(WEIGHT_ONE)) / COSINE_ONE : 0n;
}

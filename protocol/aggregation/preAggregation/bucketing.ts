/**
 * Bucketing(s) (Karimireddy, He, Jaggi 2022, "Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing",
 * algorithm 1): the rows in a random order, cut into buckets of s, each bucket becomes its mean. Mixed rows differ less
 * among each other, so the rule behind it needs to discard less of honest diversity; each Byzantine row spoils one
 * bucket.
 *
 * The order is a Fisher-Yates shuffle from the round's seed, which the contract fixes after commitments are closed:
 *
 *     for i = n - 1 down to 1: swap p[i] with p[j],  j = keccak256(seed | "bucketing" | u16 i) mod (i + 1)
 *
 * The last bucket has the n mod s rows that are left, if any; the common denominator is the least common multiple of
 * both sizes. (The bias of the modulus is below 2^-249.)
 *
 * Of the ceil(n/s) buckets up to f are Byzantine: the rule behind it must bear f of ceil(n/s) rows, so its breakdown
 * point falls to 1/(2s). Cost: O(n).
 */
import { keccak256 } from '../../commitment/keccak.ts';
import { concatBytes, fromHex, type Hex, uintBytes } from '../../encoding/bytes.ts';
import type { InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import type { Mixing } from './mixing.ts';
import type { MixingContext } from './stage.ts';

const DOMAIN = new TextEncoder().encode('bucketing');

/** s = `rule.bucketSize` >= 1. Result: [ceil(n/s), n], rows whose weights sum to the denominator <= n^2. */
export function bucketing(gram: InnerProducts, rule: Rule, context: MixingContext): Mixing {
  const { n } = gram;
  const size = rule.bucketSize;
  const order = seededPermutation(n, context.seed);
  const rest = n % size;
  const denominator = n < size ? rest : rest === 0 ? size : (size * rest) / greatestCommonDivisor(size, rest);
  const rows = Math.ceil(n / size);
  const weights = new Int32Array(rows * n);
  order.forEach((position, at) => {
    const bucket = Math.floor(at / size);
    weights[bucket * n + position] = denominator / Math.min(size, n - bucket * size);
  });
  return { rows, columns: n, weights, denominator };
}

/** 0..n-1 in the order that `seed` gives. */
export function seededPermutation(n: number, seed: Hex): number[] {
  const prefix = concatBytes(fromHex(seed), DOMAIN);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const draw = BigInt(keccak256(concatBytes(prefix, uintBytes(BigInt(i), 2))));
    const j = Number(draw % BigInt(i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

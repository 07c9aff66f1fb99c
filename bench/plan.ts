/** What `npm run bench` measures: rules, sizes, curves. */
import type { RunTask } from './worker.ts';

export interface BenchRule {
  readonly title: string;
  /** As `parseRule` takes it. */
  readonly rule: string;
  readonly options?: NonNullable<RunTask['options']>;
  /** Names in bench/numpy/rules.py, the one that targets are judged by first; none: no numpy version was written. */
  readonly numpy: readonly string[];
}

/** The radius of centred clipping stands for the usual length of an update; the case fills it in. */
export const USUAL_LENGTH = 0;

export const BENCH_RULES: readonly BenchRule[] = [
  { title: 'mean', rule: 'fedavg', numpy: ['mean'] },
  { title: 'median', rule: 'median', numpy: ['median', 'median by sorting'] },
  { title: 'trimmed mean', rule: 'trimmed-mean', numpy: ['trimmed mean'] },
  { title: 'MeaMed', rule: 'meamed', numpy: ['meamed'] },
  { title: 'Krum', rule: 'krum', numpy: ['krum'] },
  { title: 'Multi-Krum', rule: 'multi-krum', numpy: ['multi-krum'] },
  { title: 'Bulyan', rule: 'bulyan', numpy: ['bulyan'] },
  {
    title: 'geometric median',
    rule: 'geometric-median',
    numpy: ['geometric median', 'geometric median on U @ U.T'],
  },
  {
    title: 'centred clipping',
    rule: 'centered-clipping',
    options: { radius: USUAL_LENGTH },
    numpy: ['centered clipping'],
  },
  {
    title: 'NNM + trimmed mean',
    rule: 'nnm+trimmed-mean',
    numpy: ['nnm + trimmed mean, gathered', 'nnm + trimmed mean, W @ U'],
  },
  { title: 'bucketing + median', rule: 'bucketing+median', numpy: [] },
  { title: 'ARC + mean', rule: 'arc+fedavg', numpy: ['arc'] },
  { title: 'ARC + NNM + trimmed mean', rule: 'arc+nnm+trimmed-mean', numpy: ['arc + nnm + trimmed mean'] },
  { title: 'MDA', rule: 'mda', numpy: ['mda'] },
  { title: 'MoNNA', rule: 'monna', numpy: ['monna'] },
  { title: 'CAF', rule: 'caf', numpy: [] },
  { title: 'FoolsGold', rule: 'foolsgold', numpy: ['foolsgold'] },
  { title: 'SignGuard', rule: 'signguard', numpy: [] },
  { title: 'FLTrust', rule: 'fltrust', numpy: ['fltrust'] },
];

/** The exact Gram matrix: no rule, but what most of them begin with. */
export const GRAM = { title: 'Gram matrix', numpy: ['gram'] } as const;

export interface BenchShape {
  readonly n: number;
  readonly dimension: number;
  readonly byzantine: number;
  /** Standard deviation of a coordinate, in units of the updates. */
  readonly spread: number;
}

const USUAL_SPREAD = 300;
/** Sums of a few rows of such updates leave int16. */
export const LARGE_SPREAD = 3000;

/** f = n / 5, as in the literature's comparisons. */
export function shape(n: number, dimension: number, spread = USUAL_SPREAD): BenchShape {
  return { n, dimension, byzantine: Math.floor(n / 5), spread };
}

export const SHAPES: readonly BenchShape[] = [shape(20, 1e6), shape(50, 1e6), shape(20, 1e7)];
export const QUICK_SHAPES: readonly BenchShape[] = [shape(20, 1e5)];

/** Larger rounds are too slow for plain TypeScript: minutes. */
export const REFERENCE_VALUES = 5e7;

/** What the curves are drawn of, and the round's own figures. */
export const CURVE_RULES: readonly string[] = ['mean', 'median', 'trimmed mean', 'NNM + trimmed mean'];
/** Those to which it matters how large the values are. */
export const LARGE_RULES: readonly string[] = [GRAM.title, 'NNM + trimmed mean', 'ARC + NNM + trimmed mean'];
export const ROUND_RULES: readonly string[] = ['mean', 'trimmed mean', 'NNM + trimmed mean'];
export const STREAM_RULES: readonly string[] = ['trimmed mean', 'NNM + trimmed mean'];

export const ROW_CURVE: readonly BenchShape[] = [5, 10, 20, 35, 50, 75, 100].map((n) => shape(n, 250_000));
export const DIMENSION_CURVE: readonly BenchShape[] = [1e4, 1e5, 1e6, 1e7].map((d) => shape(20, d));
export const QUICK_ROW_CURVE: readonly BenchShape[] = [5, 20, 50].map((n) => shape(n, 50_000));
export const QUICK_DIMENSION_CURVE: readonly BenchShape[] = [1e4, 1e5].map((d) => shape(20, d));

export const SECTIONS = ['rules', 'rows', 'dimension', 'round', 'stream', 'storage'] as const;
export type Section = (typeof SECTIONS)[number];

import type { Dataset, DatasetSplit } from './dataset.ts';

/** Mean and standard deviation of each feature. */
export interface FeatureStatistics {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Statistics of a silo's own training samples, `[features]` each; a constant feature gets deviation 1. */
export function measureFeatures({ x, size, features, scale }: Dataset): FeatureStatistics {
  const mean = new Array<number>(features).fill(0);
  const deviation = new Array<number>(features).fill(0);
  for (let i = 0; i < x.length; i++) mean[i % features]! += (x[i]! * scale) / size;
  for (let i = 0; i < x.length; i++) deviation[i % features]! += (x[i]! * scale - mean[i % features]!) ** 2 / size;
  return { mean, deviation: deviation.map((variance) => Math.sqrt(variance) || 1) };
}

/** Features with mean 0 and deviation 1, by the given statistics. */
export function standardize(dataset: Dataset, { mean, deviation }: FeatureStatistics): Dataset {
  const { features, scale } = dataset;
  const x = Float32Array.from(
    dataset.x,
    (value, i) => (value * scale - mean[i % features]!) / deviation[i % features]!,
  );
  return { ...dataset, x, scale: 1 };
}

/**
 * Standardises both halves by the training half's statistics, so that nothing of the held-out samples reaches training.
 * Statistics stay in the silo: silos whose units differ become comparable, but a real difference of level between silos
 * is lost as well.
 */
export function standardizeSplit({ train, test }: DatasetSplit): DatasetSplit {
  const statistics = measureFeatures(train);
  return { train: standardize(train, statistics), test: standardize(test, statistics) };
}

/**
 * Samples with labels, held compactly: a row of `x` is one sample of `features` numbers, as bytes where the source is
 * bytes (images) and as floats otherwise. A value's meaning is `x * scale`.
 */
export interface Dataset {
  /** Where it comes from, for messages and reports: `mnist`, `csv:wards.csv`. */
  readonly name: string;
  /** Numbers per sample. */
  readonly features: number;
  /** Number of classes; labels are 0..classes-1. */
  readonly classes: number;
  /** Number of samples. */
  readonly size: number;
  /** `[size, features]`, row-major. */
  readonly x: Uint8Array | Float32Array;
  /** Factor from stored to real value: 1/255 for image bytes, 1 for floats. */
  readonly scale: number;
  /** `[size]` labels. */
  readonly y: Uint8Array | Int32Array;
  /** Names of the classes, where the source has names. */
  readonly classNames?: readonly string[];
}

/** A data set with the samples kept away from training. */
export interface DatasetSplit {
  readonly train: Dataset;
  readonly test: Dataset;
}

/** The rows of `dataset` named by `indices`, copied, in that order. */
export function takeRows(dataset: Dataset, indices: ArrayLike<number>, name = dataset.name): Dataset {
  const { features } = dataset;
  const x =
    dataset.x instanceof Uint8Array
      ? new Uint8Array(indices.length * features)
      : new Float32Array(indices.length * features);
  const y = dataset.y instanceof Uint8Array ? new Uint8Array(indices.length) : new Int32Array(indices.length);
  for (let row = 0; row < indices.length; row++) {
    const source = indices[row] as number;
    x.set(dataset.x.subarray(source * features, (source + 1) * features), row * features);
    y[row] = dataset.y[source] as number;
  }
  return { ...dataset, name, size: indices.length, x, y };
}

/** How many samples each class has, `[classes]`. */
export function countClasses(dataset: Dataset): number[] {
  const counts = new Array<number>(dataset.classes).fill(0);
  for (const label of dataset.y) counts[label] = (counts[label] as number) + 1;
  return counts;
}

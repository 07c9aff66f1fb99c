import { compareBytewise, type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';

/** What every model tells about its tensors: in coordinate order, with their number of coordinates. */
export function listTensors(shapes: Readonly<Record<string, readonly number[]>>): {
  readonly tensors: readonly TensorSpec[];
  readonly dimension: number;
} {
  const tensors = Object.entries(shapes)
    .map(([name, shape]) => ({ name, shape }))
    .sort((a, b) => compareBytewise(a.name, b.name));
  return { tensors, dimension: tensorSlices(tensors).reduce((sum, { length }) => sum + length, 0) };
}

import type { DataId, DataType, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../../models/model.ts';
import { type KernelContext, loadTrainingKernels } from '../../kernels/kernelModule.ts';

/**
 * The part of TF.js's engine that records operations for gradients. Its types keep these methods to themselves; what they
 * do has not changed since TF.js 2, and the version is pinned.
 */
interface TapeEngine {
  isTapeOn(): boolean;
  makeTensorFromTensorInfo(info: TensorInfo): Tensor;
  keep(tensor: Tensor): Tensor;
  addTapeNode(
    name: string,
    inputs: Record<string, Tensor>,
    outputs: Tensor[],
    gradient: (dy: Tensor) => Gradients,
    saved: Tensor[],
    attributes: object,
  ): void;
}

/** For each input of an operation how its gradient is made; asked only for those that somebody wants. */
export type Gradients = Record<string, () => Tensor>;

/** What the fused operations are written with. */
export interface FusedContext extends KernelContext {
  /** Byte address of a tensor's values. */
  readonly at: (tensor: Pick<TensorInfo, 'dataId'>) => number;
  /** Wraps what a kernel wrote. */
  tensor(info: TensorInfo): Tensor;
  /** A new tensor whose values are whatever was there before: a kernel is to fill it. */
  blank(shape: readonly number[], dtype?: DataType): Tensor;
  /** Another tensor with the same values in the same memory. */
  share(tensor: Tensor, shape?: readonly number[]): Tensor;
  /** `gradient` times the scalar that comes from above: 1 where the loss is what is trained on, and then for free. */
  times(gradient: Tensor, dy: Tensor): Tensor;
  /** Whether somebody will ask for gradients of what is computed now. */
  recording(): boolean;
  /**
   * Tells the tape how the gradients of `inputs` follow from that of `output`. What the gradient reads must stand in
   * `saved`: inputs and outputs may be disposed of long before. Tensors in `own` were made for this purpose alone.
   */
  record(
    name: string,
    inputs: Record<string, Tensor>,
    output: Tensor,
    saved: readonly Tensor[],
    own: readonly Tensor[],
    gradient: (dy: Tensor) => Gradients,
  ): void;
}

/**
 * One operation on the tape of TF.js without the way through a registered kernel: that way costs more than a small
 * product does. It clones every tensor it saves through a kernel of its own and opens two scopes per call.
 */
export function fusedContext(tf: TensorFlow): FusedContext {
  const kernels = loadTrainingKernels(tf);
  const engine = tf.engine() as unknown as TapeEngine;
  const backend = tf.backend() as unknown as { incRef(dataId: DataId): void };
  const context: FusedContext = {
    ...kernels,
    at: kernels.address,
    tensor: (info) => engine.makeTensorFromTensorInfo(info),
    blank: (shape, dtype) => engine.makeTensorFromTensorInfo(kernels.output(shape, dtype)),
    share(tensor, shape = tensor.shape) {
      backend.incRef(tensor.dataId);
      return engine.makeTensorFromTensorInfo({ dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype });
    },
    times(gradient, dy) {
      if (kernels.floats(kernels.address(dy), 1)[0] === 1) return context.share(gradient);
      const scaled = context.blank(gradient.shape);
      kernels.exports.scale(kernels.address(gradient), kernels.address(dy), kernels.address(scaled), gradient.size);
      return scaled;
    },
    recording: () => engine.isTapeOn(),
    record(name, inputs, output, saved, own, gradient) {
      const kept = saved.map((tensor) => engine.keep(context.share(tensor)));
      for (const tensor of own) kept.push(engine.keep(tensor));
      engine.addTapeNode(name, inputs, [output], gradient, kept, {});
    },
  };
  return context;
}

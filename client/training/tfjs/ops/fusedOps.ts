import type { TensorFlow } from '../../../models/model.ts';
import type { Ops } from '../../../models/ops.ts';
import { fusedDense, fusedGelu } from './denseOperation.ts';
import { fusedGaussianDivergence, fusedGaussianPoint } from './gaussianOperations.ts';
import { fusedAvgPool, fusedConv2d, fusedMaxPool } from './imageOperations.ts';
import { fusedLayerNorm } from './layerNormOperation.ts';
import { fusedBinaryCrossEntropy, fusedCrossEntropy } from './lossOperations.ts';
import { type Embedded, fusedAttention, fusedEmbedding, fusedLstm } from './sequenceOperations.ts';
import { fusedContext } from './tapeOperation.ts';

/**
 * The operations of models over the engine's own kernels, each one entry on the tape with a gradient written by hand.
 * What they compute is `composedOps`, up to rounding. Bits depend on shapes and values alone.
 *
 * @param tf TF.js on its WASM backend
 */
export function fusedOps(tf: TensorFlow): Ops {
  const context = fusedContext(tf);
  const dense = fusedDense(context);
  const embedded: Embedded = new WeakMap();
  return {
    dense,
    conv2d: fusedConv2d(context),
    maxPool: fusedMaxPool(context),
    avgPool: fusedAvgPool(context),
    embedding: fusedEmbedding(context, embedded),
    layerNorm: fusedLayerNorm(context),
    gelu: fusedGelu(context),
    causalAttention: fusedAttention(context),
    lstm: fusedLstm(context, dense, embedded),
    crossEntropy: fusedCrossEntropy(context),
    binaryCrossEntropy: fusedBinaryCrossEntropy(context),
    gaussianPoint: fusedGaussianPoint(context),
    gaussianDivergence: fusedGaussianDivergence(context),
  };
}

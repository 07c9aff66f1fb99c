/**
 * The entry of the training engine's WASM module (AssemblyScript): every kernel that TypeScript calls is exported from
 * here. The module runs in the memory of TF.js's own backend and owns none of it: no data, no stack, no allocation, so
 * it can never meet TF.js's heap. Pointers are byte addresses of tensors or of scratch that TF.js's allocator gave.
 */
export { gemm, gemmScratchBytes } from './gemm';
export { reluInPlace } from './activations';
export { convolutionScratchBytes, convolve, convolveFilterGradient, convolveInputGradient } from './convolution';
export { avgPool, avgPoolGradient, maxPool, maxPoolGradient } from './pooling';
export { depthwise, depthwiseFilterGradient, depthwiseInputGradient } from './depthwise';
export { multiplyAddAt } from './fusedMultiplyAdd';
export { segmentSum } from './segments';
export { activate, activationGradient, geluAndSlope, scale } from './nonlinear';
export {
  attentionGradientScratchBytes, attentionScratchBytes, causalAttention, causalAttentionGradient,
} from './attention';
export { gatherRows, sumRowsById } from './embedding';
export { layerNorm, layerNormGradient } from './layerNorm';
export { binaryCrossEntropy, crossEntropy } from './losses';
export { lstm, lstmGradient, lstmGradientScratchBytes, lstmScratchBytes } from './lstm';
export { adam, sgdMomentum, sgdPlain } from './optimizers';
export { columnSums, rowSums, sumOfSquares } from './sums';
export { gaussianDivergence, gaussianPoint, gaussianPointGradient } from './gaussian';
// Not for anybody: see there.
export {
  LOG2_E, LN2_HIGH, LN2_LOW, Q0, Q1, Q2, Q3, Q4, SIGMOID_HIGH, SIGMOID_LOW, TWICE_TANH_ONE, ROUNDER, ONE_BITS,
  ONE, TWO, SIGN,
} from './vectorMath';
export { CUBIC, THREE, TWICE_ROOT } from './nonlinear';
export {
  A1, A2, A3, B1, B2, B3, AB_SUM, AB_PRODUCT, BY_0, BY_A, BY_B, D1, D2, D3, D4, F1, F2, F3, F4, EF_SUM, EF_PRODUCT,
  DF_SUM, DF_PRODUCT, DE_SUM, DE_PRODUCT, SUM, PAIRS, PRODUCT, LONG_BY_0, BY_D, BY_E, BY_F,
} from './winogradPoints';

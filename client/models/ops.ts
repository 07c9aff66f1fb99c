import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';

/** What a dense layer may apply to its sums; `gelu` is the tanh form (Hendrycks and Gimpel 2016, section 2). */
export type Activation = 'linear' | 'relu' | 'tanh' | 'sigmoid' | 'gelu';

/** How many predictions were right, of how many: a loss adds its own to the one it is handed. */
export interface Score {
  right: number;
  of: number;
}

export interface Conv2dOptions {
  /** Pixels from one window to the next, the same in both directions. */
  readonly strides: number;
  /** `same`: zeros around the image, `ceil(side / strides)` windows a side; `valid`: only windows inside it. */
  readonly padding: 'same' | 'valid';
  readonly activation: 'linear' | 'relu';
}

/**
 * The operations models are written in, each with its gradient. Two implementations exist: one composed of plain TF.js
 * operations, which runs on every backend and is the reference, and one fused over the engine's own kernels. They agree
 * up to rounding; an engine always uses the same one, so its bits are its own.
 *
 * Shapes: b batch, t time, e embedding, h hidden, v vocabulary, `...` any leading sides. Images are NHWC, filters HWIO.
 */
export interface Ops {
  /** `activation(x kernel + bias)`: x `[..., i]`, kernel `[i, o]`, bias `[o]` or none -> `[..., o]`. */
  dense(x: Tensor, kernel: Tensor2D, bias: Tensor1D | null, activation?: Activation): Tensor;
  /** x `[b, h, w, c]`, filter `[kh, kw, c, o]`, bias `[o]` -> `[b, h', w', o]`. A cross-correlation, as in all frameworks. */
  conv2d(x: Tensor4D, filter: Tensor4D, bias: Tensor1D, options: Conv2dOptions): Tensor4D;
  /** Largest value of each `size x size` window inside the image, x `[b, h, w, c]`; of equal ones the first gets the gradient. */
  maxPool(x: Tensor4D, size: number, strides: number): Tensor4D;
  /** Mean of each `size x size` window inside the image, x `[b, h, w, c]`. */
  avgPool(x: Tensor4D, size: number, strides: number): Tensor4D;
  /** Rows of `table` `[v, e]` by `ids` int32 `[...]` -> `[..., e]`. */
  embedding(table: Tensor2D, ids: Tensor): Tensor;
  /** `(x - mean) / sqrt(variance + 1e-5) * gain + offset` over the last side (Ba, Kiros and Hinton 2016), x `[..., e]`. */
  layerNorm(x: Tensor, gain: Tensor1D, offset: Tensor1D): Tensor;
  /** `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`. */
  gelu(x: Tensor): Tensor;
  /**
   * Softmax attention in which position i sees positions 0..i (Vaswani et al. 2017, equation 1, masked): qkv
   * `[b, t, 3e]`, queries, keys and values beside each other, each split in `heads` equal parts -> `[b, t, e]`.
   */
  causalAttention(qkv: Tensor3D, heads: number): Tensor3D;
  /**
   * Hidden states of one layer of long short-term memory over a whole sequence, starting from zeros: x `[b, t, i]`,
   * kernel `[i, 4h]`, recurrent `[h, 4h]`, bias `[4h]` -> `[b, t, h]`. Gates in Keras' order: input, forget, candidate,
   * output.
   */
  lstm(x: Tensor3D, kernel: Tensor2D, recurrent: Tensor2D, bias: Tensor1D): Tensor3D;
  /**
   * Mean over rows of `-log softmax(logits)[label]`, in nats: logits `[n, c]`, labels int32 `[n]`. A hit is a row whose
   * largest logit is at its label; of equal ones the first counts.
   */
  crossEntropy(logits: Tensor2D, labels: Tensor1D, score?: Score): Scalar;
  /**
   * `-log` likelihood of `targets` in [0, 1] under `sigmoid(logits)`, both `[b, n]`: summed over n, mean over b, in nats.
   * A hit is a logit on the same side of 0 as its target is of 1/2.
   */
  binaryCrossEntropy(logits: Tensor2D, targets: Tensor2D, score?: Score): Scalar;
  /**
   * Points of normal distributions, one per row (Kingma and Welling 2014, section 2.4): `mean + exp(logVariance / 2)
   * noise`, all `[b, n]`. Noise is data.
   */
  gaussianPoint(mean: Tensor2D, logVariance: Tensor2D, noise: Tensor2D): Tensor2D;
  /**
   * How far they are from the standard normal distribution (Kingma and Welling 2014, appendix B): `1/2 (mean^2 +
   * exp(logVariance) - 1 - logVariance)`, summed over n, mean over b, in nats.
   */
  gaussianDivergence(mean: Tensor2D, logVariance: Tensor2D): Scalar;
}

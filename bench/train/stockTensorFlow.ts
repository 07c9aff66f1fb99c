import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type { GradConfig, NamedAttrMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../client/models/model.ts';

/**
 * TF.js on its WASM backend as it comes from the registry: what the embedded engine is compared with. Training on it
 * needs one thing that it has no kernel for, the gradient of a convolution's filter; here it is a convolution of what
 * is there, the usual way round:
 *
 *     dW[u, v, c, o] = sum over b, y, x of X[b, y + u, x + v, c] dY[b, y, x, o]
 *
 * is a convolution of X by dY in which batch and channels change places. (Its MaxPoolGrad loses the gradient of windows
 * whose maximum is not above zero. After a ReLU nothing is lost: the ReLU takes those gradients anyway.)
 */
export async function loadStockTensorFlow(): Promise<TensorFlow> {
  const require = createRequire(import.meta.url);
  const tf = require('@tensorflow/tfjs-core') as TensorFlow;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm');
  require('@tensorflow/tfjs-layers'); // registers the gradients
  tf.env().set('PROD', true);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  wasm.setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  if (!(await tf.setBackend('wasm'))) throw new Error('the WASM backend of TF.js did not start');
  supplyFilterGradient(tf);
  return tf;
}

function supplyFilterGradient(tf: TensorFlow): void {
  const stock = tf.getGradient('Conv2D');
  tf.unregisterGradient('Conv2D');
  tf.registerGradient({
    ...stock,
    gradFunc: (dy, saved, attrs) => ({
      ...(stock.gradFunc(dy, saved, attrs) as ReturnType<GradConfig['gradFunc']>),
      filter: () => filterGradient(tf, saved[0] as Tensor4D, saved[1] as Tensor4D, dy as Tensor4D, attrs),
    }),
  });
}

/** Stride 1 only: with strides dY would have to be spread out first. */
function filterGradient(tf: TensorFlow, x: Tensor4D, filter: Tensor4D, dy: Tensor4D, attrs: NamedAttrMap): Tensor {
  const { pad, strides } = attrs as { readonly pad: 'same' | 'valid'; readonly strides: number | [number, number] };
  if ([strides].flat().some((stride) => stride !== 1)) throw new Error('a stride above 1 is not measured here');
  const [height, width] = filter.shape;
  const around = (side: number): [number, number] => {
    const zeros = pad === 'same' ? side - 1 : 0;
    return [zeros >> 1, zeros - (zeros >> 1)];
  };
  const padded = tf.pad(x, [[0, 0], around(height), around(width), [0, 0]]);
  const swapped = tf.conv2d(tf.transpose(padded, [3, 1, 2, 0]), tf.transpose(dy, [1, 2, 0, 3]), 1, 'valid');
  return tf.transpose(swapped, [1, 2, 0, 3]);
}

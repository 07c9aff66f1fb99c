import type { Tensor } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../../protocol/errors.ts';
import type { Activation, Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/** How the kernels number the activations (client/training/kernels/assembly/nonlinear.ts). */
const ACTIVATION_NUMBERS: Readonly<Record<Activation, number>> = { linear: 0, relu: 1, tanh: 2, sigmoid: 3, gelu: 4 };

/** Which product: rows and columns of the result, inner size, and which operands lie transposed. */
type Product = readonly [m: number, n: number, k: number, transposeA: 0 | 1, transposeB: 0 | 1];

/**
 * A dense layer, `y = f(x W + b)`: one product that starts from the bias, and back
 *
 *     dz = dy f'(z)     dx = dz W^T     dW = x^T dz     db = sum of rows of dz
 */
export function fusedDense(context: FusedContext): Ops['dense'] {
  const { exports, at } = context;

  function multiply(a: Tensor, b: Tensor, bias: Tensor | null, out: Tensor, product: Product): Tensor {
    const from = bias === null ? 0 : at(bias);
    const scratch = context.scratch(exports.gemmScratchBytes());
    exports.gemm(at(a), at(b), from, at(out), ...product, 1, 0, 0, 0, scratch);
    return out;
  }

  return (x, kernel, bias, activation = 'linear') => {
    const [inputs, outputs] = kernel.shape;
    const rows = x.size / inputs;
    if (x.shape.at(-1) !== inputs || (bias !== null && bias.size !== outputs)) {
      throw new AssayError('KERNEL_SHAPES', {
        summary: 'these tensors make no dense layer',
        expected: `x [..., ${inputs}] for a kernel [${kernel.shape.join(', ')}], and a bias [${outputs}] or none`,
        received: `x [${x.shape.join(', ')}], bias ${bias === null ? 'none' : `[${bias.shape.join(', ')}]`}`,
        fix: 'check the widths of the layers before and after',
      });
    }
    const kind = ACTIVATION_NUMBERS[activation];
    const shape = [...x.shape.slice(0, -1), outputs];
    const recording = context.recording();
    const sums = multiply(x, kernel, bias, context.blank(shape), [rows, outputs, inputs, 0, 0]);
    // gelu's derivative is made with its value; the others make do with what came out.
    const apart = activation === 'gelu' && recording;
    const y = apart ? context.blank(shape) : sums;
    if (apart) exports.geluAndSlope(at(sums), at(y), at(sums), sums.size);
    else if (kind !== 0) exports.activate(kind, at(sums), at(y), sums.size);
    if (!recording) return y;

    const saved = kind === 0 || apart ? [x, kernel] : [x, kernel, y];
    const wanted = bias === null ? { x, kernel } : { x, kernel, bias };
    context.record('FusedDense', wanted, y, saved, apart ? [sums] : [], (dy) => {
      let dz = dy;
      if (kind !== 0) {
        dz = context.blank(dy.shape);
        exports.activationGradient(kind, at(dy), at(sums), at(dz), dy.size);
      }
      return {
        x: () => multiply(dz, kernel, null, context.blank(x.shape), [rows, inputs, outputs, 0, 1]),
        kernel: () => multiply(x, dz, null, context.blank(kernel.shape), [inputs, outputs, rows, 1, 0]),
        bias: () => {
          const db = context.blank(bias!.shape);
          exports.columnSums(at(dz), rows, outputs, outputs, at(db));
          return db;
        },
      };
    });
    return y;
  };
}

/** `f(x)` alone, gelu's tanh form. */
export function fusedGelu(context: FusedContext): Ops['gelu'] {
  const { exports, at } = context;
  const kind = ACTIVATION_NUMBERS.gelu;
  return (x) => {
    const y = context.blank(x.shape);
    if (!context.recording()) {
      exports.activate(kind, at(x), at(y), x.size);
      return y;
    }
    const slope = context.blank(x.shape);
    exports.geluAndSlope(at(x), at(y), at(slope), x.size);
    context.record('FusedGelu', { x }, y, [], [slope], (dy) => ({
      x: () => {
        const dx = context.blank(x.shape);
        exports.activationGradient(kind, at(dy), at(slope), at(dx), x.size);
        return dx;
      },
    }));
    return y;
  };
}

import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import type { Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/** A point of a normal distribution per row; the gradient by the mean is what comes from above. */
export function fusedGaussianPoint(context: FusedContext): Ops['gaussianPoint'] {
  const { exports, at } = context;
  return (mean, logVariance, noise) => {
    const point = context.blank(mean.shape);
    const part = context.blank(mean.shape);
    exports.gaussianPoint(at(mean), at(logVariance), at(noise), mean.size, at(point), at(part));
    if (!context.recording()) {
      part.dispose();
      return point as Tensor2D;
    }
    context.record('FusedGaussianPoint', { mean, logVariance }, point, [], [part], (dy) => ({
      mean: () => context.share(dy),
      logVariance: () => {
        const dlogs = context.blank(mean.shape);
        exports.gaussianPointGradient(at(dy), at(part), mean.size, at(dlogs));
        return dlogs;
      },
    }));
    return point as Tensor2D;
  };
}

/** Divergence from the standard normal distribution, with its gradients. */
export function fusedGaussianDivergence(context: FusedContext): Ops['gaussianDivergence'] {
  const { exports, at } = context;
  return (mean, logVariance) => {
    const [rows] = mean.shape;
    const loss = context.blank([]);
    const own = context.recording() ? [context.blank(mean.shape), context.blank(mean.shape)] : [];
    const [dmean, dlogs] = own;
    const to = [dmean === undefined ? 0 : at(dmean), dlogs === undefined ? 0 : at(dlogs)] as const;
    exports.gaussianDivergence(at(mean), at(logVariance), mean.size, rows, at(loss), ...to);
    if (dmean !== undefined && dlogs !== undefined) {
      context.record('FusedGaussianDivergence', { mean, logVariance }, loss, [], own, (dy) => ({
        mean: () => context.times(dmean, dy),
        logVariance: () => context.times(dlogs, dy),
      }));
    }
    return loss as Scalar;
  };
}

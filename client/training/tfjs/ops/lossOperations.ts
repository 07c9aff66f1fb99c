import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../../protocol/errors.ts';
import type { Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/**
 * A loss whose kernel writes the gradient beside the value: back, it is only multiplied by what comes from above, which
 * is 1 where the loss is what is trained on.
 */
function record(context: FusedContext, name: string, logits: Tensor, loss: Tensor, gradient: Tensor): void {
  const { exports, at } = context;
  context.record(name, { logits }, loss, [], [gradient], (dy) => ({
    logits: () => {
      if (context.floats(at(dy), 1)[0] === 1) return context.share(gradient, logits.shape);
      const scaled = context.blank(logits.shape);
      exports.scale(at(gradient), at(dy), at(scaled), gradient.size);
      return scaled;
    },
  }));
}

/** Softmax cross-entropy with its gradient. */
export function fusedCrossEntropy(context: FusedContext): Ops['crossEntropy'] {
  const { exports, at } = context;
  return (logits, labels) => {
    const [rows, classes] = logits.shape;
    const gradient = context.recording() ? context.blank([rows, classes]) : undefined;
    const loss = context.blank([]);
    const to = gradient === undefined ? 0 : at(gradient);
    const hits = exports.crossEntropy(at(logits), at(labels), rows, classes, at(loss), to);
    if (labels.dtype !== 'int32' || labels.size !== rows || hits < 0) {
      const wrong = `label ${hits < 0 ? context.integers(at(labels), rows)[-1 - hits] : ''} at row ${-1 - hits}`;
      throw new AssayError('KERNEL_IDS', {
        summary: 'not every label is a class',
        expected: `${rows} int32 labels from 0 to ${classes - 1}`,
        received:
          labels.dtype === 'int32' && labels.size === rows ? wrong : `${labels.dtype} [${labels.shape.join(', ')}]`,
        fix: 'check that data and model have the same classes',
      });
    }
    if (gradient !== undefined) record(context, 'FusedCrossEntropy', logits, loss, gradient);
    return loss as Scalar;
  };
}

/** Binary cross-entropy of logits with its gradient by the logits; targets are data. */
export function fusedBinaryCrossEntropy(context: FusedContext): Ops['binaryCrossEntropy'] {
  const { exports, at } = context;
  return (logits, targets) => {
    const [rows, width] = logits.shape;
    if (targets.size !== logits.size || targets.dtype !== 'float32') {
      throw new AssayError('KERNEL_SHAPES', {
        summary: 'logits and targets do not match',
        expected: `float32 targets [${logits.shape.join(', ')}]`,
        received: `${targets.dtype} [${targets.shape.join(', ')}]`,
        fix: 'give one target in 0..1 per logit',
      });
    }
    const gradient = context.recording() ? context.blank([rows, width]) : undefined;
    const loss = context.blank([]);
    exports.binaryCrossEntropy(
      at(logits),
      at(targets),
      rows,
      width,
      at(loss),
      gradient === undefined ? 0 : at(gradient),
    );
    if (gradient !== undefined) record(context, 'FusedBinaryCrossEntropy', logits, loss, gradient);
    return loss as Scalar;
  };
}

import type { Scalar } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../../protocol/errors.ts';
import type { Ops, Score } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

function count(score: Score | undefined, right: number, of: number): void {
  if (score === undefined) return;
  score.right += right;
  score.of += of;
}

/** Softmax cross-entropy; its kernel writes the gradient beside the value. */
export function fusedCrossEntropy(context: FusedContext): Ops['crossEntropy'] {
  const { exports, at } = context;
  return (logits, labels, score) => {
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
    count(score, hits, rows);
    if (gradient !== undefined) {
      context.record('FusedCrossEntropy', { logits }, loss, [], [gradient], (dy) => ({
        logits: () => context.times(gradient, dy),
      }));
    }
    return loss as Scalar;
  };
}

/** Binary cross-entropy of logits with its gradient by the logits; targets are data. */
export function fusedBinaryCrossEntropy(context: FusedContext): Ops['binaryCrossEntropy'] {
  const { exports, at } = context;
  return (logits, targets, score) => {
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
    const to = gradient === undefined ? 0 : at(gradient);
    count(score, exports.binaryCrossEntropy(at(logits), at(targets), rows, width, at(loss), to), logits.size);
    if (gradient !== undefined) {
      context.record('FusedBinaryCrossEntropy', { logits }, loss, [], [gradient], (dy) => ({
        logits: () => context.times(gradient, dy),
      }));
    }
    return loss as Scalar;
  };
}

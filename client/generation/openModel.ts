/** A model with weights, ready to compute: for sampling, where nothing is trained. */

import type { Tensor } from '@tensorflow/tfjs-core';
import { tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { checkLength } from '../models/checkLength.ts';
import type { Compute, Model, ModelSpec, NamedTensors } from '../models/model.ts';
import { describeModel } from '../models/registry.ts';
import { loadTensorFlow } from '../training/tfjs/backend.ts';
import { composedOps } from '../training/tfjs/ops/composedOps.ts';

export interface OpenModel<Kind extends Model = Model> {
  readonly model: Kind;
  readonly compute: Compute;
  readonly weights: NamedTensors;
  /** Frees the tensors. */
  close(): void;
}

/**
 * @param weights `[d]`, the model's order
 * @throws AssayError WEIGHTS_LENGTH, ADAPTERS_ALONE for adapters without their base, MODEL_UNKNOWN, MODEL_SETTINGS
 */
export async function openModel(spec: ModelSpec, weights: Float32Array): Promise<OpenModel> {
  const model = describeModel(spec);
  checkLength(weights, model.dimension);
  if (model.frozen !== undefined) {
    throw new AssayError('ADAPTERS_ALONE', {
      summary: 'these are adapters, which do nothing without their base',
      expected: 'a whole model',
      received: `adapters of a ${spec.kind} model`,
      fix: 'merge them into their base first (mergeAdapters)',
    });
  }
  const tf = await loadTensorFlow();
  const named: Record<string, Tensor> = {};
  for (const { name, shape, offset, length } of tensorSlices(model.tensors)) {
    named[name] = tf.tensor(weights.slice(offset, offset + length), [...shape]);
  }
  return { model, compute: { tf, ops: composedOps(tf) }, weights: named, close: () => tf.dispose(named) };
}

/** @throws AssayError GENERATION_TASK for a model of another kind */
export function isGenerator<Task extends Model['task']>(
  open: OpenModel,
  task: Task,
): asserts open is OpenModel<Extract<Model, { task: Task }>> {
  if (open.model.task === task) return;
  throw new AssayError('GENERATION_TASK', {
    summary: 'a model of that task cannot generate what is asked for',
    expected: task,
    received: open.model.task,
    fix: 'a language model continues a prompt, an image generator draws classes',
  });
}

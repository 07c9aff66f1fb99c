import { sha256 } from '#sha256';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { decodeSafetensors } from '../export/safetensors.ts';
import { type LoraSettings, mergeAdapters } from './lora.ts';
import type { Model, ModelSpec } from './model.ts';
import { describeModel } from './registry.ts';

/** The base of a model of adapters, or nothing for a model that is whole. */
export function baseOf(spec: ModelSpec): (LoraSettings['base'] & { readonly model: ModelSpec }) | undefined {
  if (spec.kind !== 'lora') return undefined;
  // Through the registry: what a manifest says is checked there.
  return (describeModel(spec).spec as unknown as LoraSettings).base;
}

/**
 * The weights of the frozen base of an adapter model, from the file that the manifest names.
 *
 * @param spec of kind `lora`
 * @returns values of the base's tensors, one after the other
 * @throws AssayError BASE_MODEL for other bytes or another model's tensors, SAFETENSORS
 */
export function readBase(spec: ModelSpec, file: Uint8Array): Float32Array {
  const settings = describeModel(spec).spec as unknown as LoraSettings;
  const hash = toHex(sha256(file)).replace(/^0x/, '');
  if (hash !== settings.base.sha256) {
    throw baseError('the file that the manifest names', `SHA-256 ${settings.base.sha256}`, `SHA-256 ${hash}`);
  }
  const list = (tensors: Model['tensors']) => tensors.map(({ name, shape }) => `${name}[${shape.join(',')}]`).join(' ');
  const { tensors, weights } = decodeSafetensors(file);
  const expected = list(describeModel(settings.base.model).tensors);
  if (list(tensors) !== expected) throw baseError('the tensors of its model', expected, list(tensors));
  return weights;
}

/**
 * A model without loose parts: adapters folded into their base, any other model as it is. For what needs no training:
 * export, generation.
 *
 * @param weights `[d]`, the order of the spec's tensors
 * @param frozen the base's weights, for a model of adapters
 * @throws AssayError BASE_MODEL without the base, WEIGHTS_LENGTH
 */
export function wholeModel(
  spec: ModelSpec,
  weights: Float32Array,
  frozen?: Float32Array,
): { readonly spec: ModelSpec; readonly weights: Float32Array } {
  if (spec.kind !== 'lora') return { spec, weights };
  if (frozen === undefined) {
    throw baseError('there', 'the weights of the base that the adapters stand beside', 'adapters alone');
  }
  const settings = describeModel(spec).spec as unknown as LoraSettings;
  const base = settings.base.model;
  return { spec: base, weights: mergeAdapters(settings, describeModel(base), weights, frozen) };
}

function baseError(what: string, expected: string, received: string): AssayError {
  return new AssayError('BASE_MODEL', {
    summary: `the base of the adapters is not ${what}`,
    expected,
    received,
    fix: 'take the file that the manifest names, by its CID or with --base-file FILE',
  });
}

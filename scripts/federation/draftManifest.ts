/** From what a person writes down about a new federation to its manifest: what follows from the model is filled in. */
import { createHash } from 'node:crypto';
import type { ModelSpec } from '../../client/models/model.ts';
import { loadModelFile, readModelFile } from '../../client/models/modelFile.ts';
import { describeModel } from '../../client/models/registry.ts';
import { TRAINER_PROTOCOL } from '../../client/training/external/task.ts';
import { ENGINE } from '../../client/training/tfjs/backend.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import {
  checkManifest,
  MANIFEST_FORMAT,
  type Manifest,
  type TextData,
  vocabularySize,
} from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';

/** What a draft may leave to files beside it. */
export interface DraftParts {
  readonly name: string;
  readonly tokenizer?: TextData['tokenizer'];
  /** Path of the model's code, for `model.kind: "file"`. */
  readonly modelFile?: string;
  /** Bytes of the base, for `model.kind: "lora"`. */
  readonly base?: Uint8Array;
}

type Fields = Record<string, unknown>;

/**
 * A manifest from a draft that has at least `model`, `training` and `data`. Filled in where they are left out: `format`,
 * `name`, `engine`, `task`, `tensors`, `data.tokenizer`, a language model's `vocabulary` and `context`, the `sha256` of a
 * model file, the `cid` and `sha256` of a base. A draft of engine `trainer/1` that has `task` and `tensors` is left as it is:
 * its model may be of a kind that only its trainers know. What stands in the draft stays, and is checked.
 *
 * @throws AssayError MANIFEST, MODEL_UNKNOWN, MODEL_SETTINGS, MODEL_FILE
 */
export async function completeManifest(draft: unknown, parts: DraftParts): Promise<Manifest> {
  if (!isFields(draft) || !isFields(draft.model)) {
    throw new AssayError('MANIFEST', {
      summary: 'the draft describes no model',
      expected: 'a JSON object with "model", "training" and "data"; see docs/spec/manifest.md',
      received: JSON.stringify(draft)?.slice(0, 200) ?? String(draft),
    });
  }
  const data = isFields(draft.data) && parts.tokenizer ? { tokenizer: parts.tokenizer, ...draft.data } : draft.data;
  // What participants train with programs of their own may be a model that only those know; then nothing follows from it.
  const foreign = draft.engine === TRAINER_PROTOCOL && draft.tensors !== undefined && draft.task !== undefined;
  if (foreign) return checkManifest({ format: MANIFEST_FORMAT, name: parts.name, ...draft, data });
  const spec = await completeModel(draft.model, data, parts);
  const model = describeModel(spec);
  const personal = isFields(draft.training) && draft.training.personal !== undefined;
  const federated = model.tensors.filter(({ name }) => !(personal && model.head.includes(name)));
  return checkManifest({
    format: MANIFEST_FORMAT,
    name: parts.name,
    engine: ENGINE,
    task: model.task,
    tensors: federated.map(({ name, shape }) => ({ name, shape: [...shape] })),
    ...draft,
    model: spec,
    data,
  });
}

async function completeModel(model: Fields, data: unknown, parts: DraftParts): Promise<ModelSpec> {
  const file = parts.modelFile === undefined ? undefined : await readModelFile(parts.modelFile);
  if (file !== undefined) await loadModelFile(file);
  if (model.kind === 'file' && file !== undefined) return { kind: 'file', sha256: file.sha256, ...model };
  if (model.kind === 'lora' && isFields(model.base) && parts.base !== undefined) {
    const sha256 = createHash('sha256').update(parts.base).digest('hex');
    return { ...model, kind: 'lora', base: { cid: payloadCid(parts.base), sha256, ...model.base } };
  }
  if ((model.kind === 'lstm' || model.kind === 'transformer') && isFields(data)) {
    const { tokenizer, context } = data as { tokenizer?: TextData['tokenizer']; context?: number };
    const vocabulary = Array.isArray(tokenizer?.merges) ? vocabularySize({ tokenizer: tokenizer! }) : undefined;
    return { ...(vocabulary && { vocabulary }), ...(context && { context }), ...model, kind: model.kind };
  }
  return model as ModelSpec;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

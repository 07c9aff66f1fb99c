import { z } from 'zod';
import { sha256 } from '#sha256';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { tensorSlices } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { decodeSafetensors, encodeSafetensors } from '../../export/safetensors.ts';
import { describeModel } from '../../models/registry.ts';
import { checkFinite } from '../../update/checkFinite.ts';
import type { LocalMemory, TrainingManifest } from '../trainer.ts';
import type { AttachmentLimit } from './frames.ts';

/** The contract and its version: docs/spec/trainer.md. */
export const TRAINER_PROTOCOL = 'trainer/1';

export type Verb = 'init' | 'train' | 'evaluate';

/** What a trainer is told, beside the attachments. */
export interface TaskHeader {
  readonly protocol: typeof TRAINER_PROTOCOL;
  /** Random, of this task alone; the result repeats it. */
  readonly id: string;
  readonly verb: Verb;
  readonly round: number;
  /** 32 bytes in hexadecimal: everything that is left to chance comes from here. */
  readonly seed: string;
  readonly manifest: TrainingManifest;
  /** The manifest's training settings, with this device's own. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The folder of the samples, an absolute path; null: the trainer knows where its data is. */
  readonly data: string | null;
  /** SHA-256 of the attachment `model`; the result repeats what the trainer read. Not for `init`. */
  readonly modelSha256?: string;
}

/** A task with its attachments: `model`, `previous`, `memory`, `frozen`, each a safetensors file. */
export interface Task {
  readonly header: TaskHeader;
  readonly attachments: ReadonlyMap<string, Uint8Array>;
}

/** What a trainer answered: its header, not yet judged, and its attachments: `result`, `result-memory`. */
export interface Answer {
  readonly header: unknown;
  readonly attachments: ReadonlyMap<string, Uint8Array>;
}

/** An answer that was judged. */
export interface Result {
  /** `[d]`, manifest order. Of `init` and `train`. */
  readonly weights: Float32Array | null;
  readonly memory: LocalMemory;
  readonly samples: number;
  readonly steps: number;
  readonly loss: number;
  readonly accuracy: number;
}

export const progressSchema = z.looseObject({
  type: z.literal('progress'),
  epoch: z.int().positive(),
  epochs: z.int().positive(),
  loss: z.number(),
  accuracy: z.number(),
});

const count = z.int().nonnegative();
const resultSchemas = {
  init: z.object({}),
  train: z.object({
    samples: count.min(1),
    steps: count,
    loss: z.number(),
    accuracy: z.number().min(0).max(1),
  }),
  evaluate: z.object({ samples: count.min(1), loss: z.number(), accuracy: z.number().min(0).max(1) }),
} as const;

/** Room for names and metadata in a safetensors header. */
const HEADER_ROOM = 2 ** 20;
/** What a trainer may keep from round to round, in models: several optimiser moments, and a personal model. */
const MEMORY_MODELS = 16;

/** How big an answer's attachments may be. More is refused before it is read. */
export function answerLimits(manifest: TrainingManifest): AttachmentLimit {
  const model = 4 * tensorSlices(manifest.tensors).reduce((sum, { length }) => sum + length, 0) + HEADER_ROOM;
  const limits: Readonly<Record<string, number>> = { result: model, 'result-memory': MEMORY_MODELS * model };
  return (name) => (Object.hasOwn(limits, name) ? limits[name] : undefined);
}

/** A model as the attachment a trainer reads. */
export function encodeModel(manifest: TrainingManifest, weights: Float32Array): Uint8Array {
  return encodeSafetensors({ tensors: manifest.tensors, weights, metadata: {} });
}

/** The frozen tensors of the manifest's model, whose kind must be one that Assay knows. */
export function encodeFrozen(manifest: TrainingManifest, frozen: Float32Array): Uint8Array {
  return encodeSafetensors({ tensors: describeModel(manifest.model).frozen ?? [], weights: frozen, metadata: {} });
}

/** What a trainer keeps, one tensor `[n]` for each name, sorted bytewise by the reader. */
export function encodeMemory(memory: LocalMemory): Uint8Array {
  const names = Object.keys(memory).sort();
  const weights = new Float32Array(names.reduce((sum, name) => sum + memory[name]!.length, 0));
  let offset = 0;
  for (const name of names) {
    weights.set(memory[name]!, offset);
    offset += memory[name]!.length;
  }
  const tensors = names.map((name) => ({ name, shape: [memory[name]!.length] }));
  return encodeSafetensors({ tensors, weights, metadata: {} });
}

export function sha256Hex(bytes: Uint8Array): string {
  return toHex(sha256(bytes)).slice(2);
}

/**
 * Judges an answer. Nothing of it is believed: it must be the answer to this task, from the model of this task, with the
 * manifest's tensors and nothing else, all of them finite numbers.
 *
 * @throws AssayError TRAINER_RESULT, TRAINER_FAILED when the trainer itself says that it could not, WEIGHTS_NOT_FINITE
 */
export function judgeAnswer(name: string, { header: task }: Task, { header, attachments }: Answer): Result {
  if (typeof header !== 'object' || header === null) {
    throw refusal(name, 'is not a JSON object', 'an object', JSON.stringify(header) ?? 'nothing');
  }
  const { protocol, id, verb, modelSha256, error } = header as Record<string, unknown>;
  const repeat = (what: string, expected: unknown, received: unknown, why: string): void => {
    if (received !== expected)
      throw refusal(name, why, `${what} ${JSON.stringify(expected)}`, JSON.stringify(received) ?? 'none');
  };
  repeat('protocol', TRAINER_PROTOCOL, protocol, 'is of another protocol');
  repeat('id', task.id, id, 'answers another task, perhaps an older one');
  repeat('verb', task.verb, verb, 'answers another question');
  if (error !== undefined) {
    throw new AssayError('TRAINER_FAILED', {
      summary: `the trainer ${name} could not ${task.verb}`,
      expected: 'a result',
      received: typeof error === 'string' ? error : JSON.stringify(error),
      fix: "see the trainer's own log lines",
    });
  }
  if (task.modelSha256 !== undefined) {
    repeat('modelSha256', task.modelSha256, modelSha256, 'was computed from another model');
  }
  const parsed = resultSchemas[task.verb].safeParse(header);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const place = issue.path.join('.');
    throw refusal(
      name,
      `is wrong at ${place}`,
      issue.message,
      JSON.stringify((header as Record<string, unknown>)[place]) ?? 'nothing',
    );
  }
  const figures = { samples: 0, steps: 0, loss: 0, accuracy: 0, ...parsed.data };
  const file = attachments.get('result');
  if (task.verb === 'evaluate') return { ...figures, weights: null, memory: {} };
  if (file === undefined) throw refusal(name, 'came without weights', 'the attachment result', 'none');
  const kept = attachments.get('result-memory');
  return {
    ...figures,
    weights: readWeights(name, task.manifest, file),
    memory: kept === undefined ? {} : readMemory(name, kept),
  };
}

function readWeights(name: string, manifest: TrainingManifest, file: Uint8Array): Float32Array {
  const { tensors, weights } = readTensors(name, 'result', file);
  const asked = new Map(manifest.tensors.map((tensor) => [tensor.name, tensor.shape.join(', ')]));
  const came = new Map(tensors.map((tensor) => [tensor.name, tensor.shape.join(', ')]));
  const missing = [...asked.keys()].filter((tensor) => !came.has(tensor));
  const extra = [...came.keys()].filter((tensor) => !asked.has(tensor));
  if (missing.length > 0 || extra.length > 0) {
    const list = (names: string[]) => (names.length === 0 ? 'nothing' : names.join(', '));
    throw refusal(
      name,
      "does not hold the manifest's tensors",
      `${asked.size} tensors by the manifest's names`,
      `missing: ${list(missing)}; not in the manifest: ${list(extra)}`,
    );
  }
  for (const [tensor, shape] of asked) {
    if (came.get(tensor) === shape) continue;
    throw refusal(name, `holds the tensor ${tensor} in another shape`, `[${shape}]`, `[${came.get(tensor)}]`);
  }
  checkFinite(weights, manifest.tensors);
  return weights;
}

function readMemory(name: string, file: Uint8Array): LocalMemory {
  const { tensors, weights } = readTensors(name, 'result-memory', file);
  checkFinite(weights, tensors);
  return Object.fromEntries(
    tensorSlices(tensors).map(({ name: tensor, offset, length }) => [tensor, weights.slice(offset, offset + length)]),
  );
}

function readTensors(name: string, attachment: string, file: Uint8Array) {
  try {
    return decodeSafetensors(file);
  } catch (cause) {
    if (!(cause instanceof AssayError)) throw cause;
    const { expected = 'a safetensors file', received = 'something else' } = cause.details;
    throw refusal(name, `holds a ${attachment} that cannot be used`, expected, received, cause);
  }
}

function refusal(name: string, what: string, expected: string, received: string, cause?: unknown): AssayError {
  return new AssayError('TRAINER_RESULT', {
    summary: `the result of the trainer ${name} ${what}`,
    expected,
    received: received.length > 400 ? `${received.slice(0, 400)}...` : received,
    fix: 'run `assay trainer check` with the same command; nothing was sent',
    ...(cause === undefined ? {} : { cause }),
  });
}

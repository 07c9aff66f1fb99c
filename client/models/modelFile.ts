import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as nodeModule from 'node:module';
import { basename } from 'node:path';
import { z } from 'zod';
import { type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { fillUniform, glorotUniform, heUniform, uniformOfDeviation } from './initialisers.ts';
import type { Model } from './model.ts';
import { listTensors } from './tensorList.ts';

/**
 * A model in a file of one's own: a JavaScript or TypeScript module with `settings(kit)`, a schema of its settings, and
 * `build(settings, kit)`, the model. docs/models.md has one to copy.
 *
 * The manifest names the file by its hash, so that all participants run the same bytes. For this to mean something the
 * file must be whole: it is loaded from the bytes that were hashed, and can import nothing but Node's own modules. What
 * it needs of Assay is handed to it. It runs with all rights of the node: read it before you pass it with `--model-file`.
 */
export interface ModelFile {
  /** For messages and stack traces. */
  readonly name: string;
  /** Of the file's bytes, hexadecimal: what the manifest's `model.sha256` says. */
  readonly sha256: string;
  readonly source: string;
}

/** What a model file is handed. */
export const modelKit = { z, listTensors, fillUniform, glorotUniform, heUniform, uniformOfDeviation } as const;

export type ModelKit = typeof modelKit;

/** What a model file exports. */
export interface ModelModule<Settings = unknown> {
  settings(kit: ModelKit): z.ZodType<Settings>;
  /** The model without its `spec`, which is the manifest's. */
  build(settings: Settings, kit: ModelKit): OwnModel;
}

type WithoutSpec<Each> = Each extends unknown ? Omit<Each, 'spec'> : never;
export type OwnModel = WithoutSpec<Model>;

/** Modules by the hash of their file, loaded in this thread. */
const loaded = new Map<string, ModelModule>();

/** The file's text and hash; nothing of it runs yet. @throws AssayError MODEL_FILE */
export async function readModelFile(path: string): Promise<ModelFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw fileError(path, 'a file that can be read', String((cause as { code?: unknown }).code ?? cause), cause);
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name: basename(path), sha256, source: new TextDecoder().decode(bytes) };
}

/** Runs a model file, once per thread; after this `describeModel` knows it by its hash. @throws AssayError MODEL_FILE */
export async function loadModelFile(file: ModelFile): Promise<void> {
  if (loaded.has(file.sha256)) return;
  let module: Partial<ModelModule>;
  try {
    const code = `${withoutTypes(file)}\n//# sourceURL=${encodeURIComponent(file.name)}`;
    module = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fileError(file.name, 'a module that runs and imports nothing but node: modules', reason, cause);
  }
  if (typeof module.settings !== 'function' || typeof module.build !== 'function') {
    throw fileError(file.name, 'functions settings(kit) and build(settings, kit)', Object.keys(module).join(', '));
  }
  loaded.set(file.sha256, module as ModelModule);
}

/** The module with that hash. @throws AssayError MODEL_FILE when this thread has not loaded it */
export function loadedModelFile(sha256: string): ModelModule {
  const module = loaded.get(sha256);
  if (module !== undefined) return module;
  const others = [...loaded.keys()];
  throw new AssayError('MODEL_FILE', {
    summary: "the federation's model is a file that was not given, or not in these bytes",
    expected: `a file whose SHA-256 is ${sha256}`,
    received: others.length === 0 ? 'no file' : `a file whose SHA-256 is ${others.join(', ')}`,
    fix: 'get the file from whoever made the federation, read it, and give it with --model-file FILE',
  });
}

/** Whether what a file built is a model, told by the first thing that is wrong. @throws AssayError MODEL_FILE */
export function checkOwnModel(model: OwnModel): OwnModel {
  const complain = (expected: string, received: unknown) =>
    fileError('its model', expected, JSON.stringify(received) ?? String(received));
  const functions: Readonly<Record<string, readonly string[]>> = {
    classification: ['initialise', 'logits'],
    'language-model': ['initialise', 'logits'],
    'image-generation': ['initialise', 'encode', 'decode'],
  };
  const members = model as unknown as Record<string, unknown>;
  const wanted = Object.hasOwn(functions, String(members?.task)) ? functions[String(members.task)]! : undefined;
  if (wanted === undefined) throw complain(`task: ${Object.keys(functions).join(', ')}`, members?.task);
  const missing = wanted.find((name) => typeof members[name] !== 'function');
  if (missing !== undefined) throw complain(`a function ${missing}`, members[missing]);
  const counts = { classification: ['inputs', 'classes'], 'language-model': ['vocabulary', 'context'] } as const;
  const numbers = model.task === 'image-generation' ? ['inputs', 'classes', 'latent'] : counts[model.task];
  const wrong = numbers.find((name) => !Number.isSafeInteger(members[name]) || (members[name] as number) < 1);
  if (wrong !== undefined) throw complain(`${wrong}: a whole number above 0`, members[wrong]);
  if (model.frozen !== undefined) throw complain('no frozen tensors: nobody would know their values', model.frozen);
  const shapes = Object.fromEntries((model.tensors ?? []).map(({ name, shape }) => [name, shape]));
  const listed = listTensors(shapes);
  const text = (tensors: readonly TensorSpec[]) => tensors.map(({ name }) => name).join(' ');
  if (listed.tensors.length === 0 || text(listed.tensors) !== text(model.tensors)) {
    throw complain('tensors sorted bytewise by name, at least one (kit.listTensors does it)', model.tensors);
  }
  const total = tensorSlices(model.tensors).reduce((sum, { length }) => sum + length, 0);
  if (!Number.isSafeInteger(total) || total !== model.dimension) throw complain(`dimension: ${total}`, model.dimension);
  const stranger = model.head?.find((name) => !Object.hasOwn(shapes, name));
  if (!Array.isArray(model.head) || stranger !== undefined) {
    throw complain('head: names of some of the tensors', stranger ?? model.head);
  }
  return model;
}

function withoutTypes({ name, source }: ModelFile): string {
  if (!/\.[cm]?ts$/.test(name)) return source;
  if (nodeModule.stripTypeScriptTypes === undefined) {
    throw new TypeError(
      `Node ${process.versions.node} cannot strip types: use Node 24, or give the file as JavaScript`,
    );
  }
  return nodeModule.stripTypeScriptTypes(source);
}

function fileError(name: string, expected: string, received: string, cause?: unknown): AssayError {
  return new AssayError('MODEL_FILE', {
    summary: `${name} is not a model file`,
    expected,
    received,
    fix: 'see docs/models.md for one to copy',
    cause,
  });
}

/**
 * The manifest: what is trained and how, in one JSON document stored under a CID that the contract names. Its tensor
 * list fixes the order of coordinates: names sorted bytewise, each tensor row-major. Parsed here once, at the border.
 */
import { z } from 'zod';
import { AssayError } from '../errors.ts';
import { canonicalJson, type Json } from './canonicalJson.ts';

export const MANIFEST_FORMAT = 'assay-manifest/1';

const positiveInt = z
  .number()
  .int()
  .positive()
  .max(2 ** 32);

const share = z.number().min(0).lt(1);

/** What is trained jointly, and how a participant's step differs from plain SGD: docs/algorithms.md. */
export const algorithmSchema = z.discriminatedUnion('kind', [
  /** McMahan et al. 2017: local SGD, averaged. The default. */
  z.strictObject({ kind: z.literal('fedavg') }),
  /** Li et al. 2020: `proximal` is mu, the pull back to the round's model. */
  z.strictObject({ kind: z.literal('fedprox'), proximal: z.number().positive() }),
  /** Karimireddy et al. 2020, option II; the server's control is read off the chain. */
  z.strictObject({ kind: z.literal('scaffold') }),
  /** Wang et al. 2020: every update is scaled to what `referenceSteps` steps would weigh. */
  z.strictObject({ kind: z.literal('fednova'), referenceSteps: positiveInt }),
  /** Fallah et al. 2020, first order: `innerLearningRate` is alpha, the step of adaptation that training looks past. */
  z.strictObject({ kind: z.literal('per-fedavg'), innerLearningRate: z.number().positive() }),
  /** Nichol et al. 2018: fedavg's step, meant as a model that adapts quickly. */
  z.strictObject({ kind: z.literal('reptile') }),
]);

const trainingSchema = z.strictObject({
  /** Passes over the participant's own data, */
  localEpochs: positiveInt.optional(),
  /** or that many minibatches of it: one of the two. */
  localSteps: positiveInt.optional(),
  batchSize: positiveInt,
  learningRate: z.number().positive(),
  optimizer: z.enum(['sgd', 'adam']),
  /** Of sgd: heavy ball. Absent: none. */
  momentum: share.optional(),
  /** Of adam; absent: 0.9, 0.999, 1e-8. */
  beta1: share.optional(),
  beta2: share.optional(),
  epsilon: z.number().positive().optional(),
  /** L2 norm that the gradient of each minibatch is scaled down to. Absent: no limit. */
  maxGradientNorm: z.number().positive().optional(),
  algorithm: algorithmSchema.optional(),
  /** The model's head stays with its participant and is not among `tensors`. */
  personal: z.strictObject({ kind: z.enum(['fedper', 'fedrep']) }).optional(),
});

const sampleDataSchema = z.strictObject({ features: positiveInt, classes: positiveInt });

const token = z.number().int().min(0);

const textDataSchema = z.strictObject({
  /** Tokens a model sees at once. */
  context: positiveInt,
  tokenizer: z.strictObject({
    kind: z.literal('byte-bpe'),
    /** Merge i makes token 257 + i of two earlier ones; 0 to 255 are bytes, 256 separates documents. */
    merges: z.array(z.tuple([token, token])).max(65_279),
  }),
});

const manifestSchema = z.strictObject({
  format: z.literal(MANIFEST_FORMAT),
  /** What people call the federation. */
  name: z.string().min(1).max(200),
  task: z.enum(['classification', 'language-model', 'image-generation']),
  /** Architecture: `kind` selects the builder, the rest are its own settings. */
  model: z.looseObject({ kind: z.string().min(1) }),
  /** The tensors that are trained jointly; a personal head and a frozen base are not among them. */
  tensors: z.array(z.strictObject({ name: z.string().min(1), shape: z.array(positiveInt) })).min(1),
  training: trainingSchema,
  /** By task: checked apart, so that a mistake is named by its own place. */
  data: z.unknown(),
  /** Kernel set that trains, by name and version: another set gives other bits. */
  engine: z.string().min(1),
});

export type Algorithm = Readonly<z.infer<typeof algorithmSchema>>;
export type TrainingSettings = Readonly<z.infer<typeof trainingSchema>>;
/** What samples look like: of classification and of image generation. */
export type SampleData = Readonly<z.infer<typeof sampleDataSchema>>;
/** What text looks like: of language models. */
export type TextData = Readonly<z.infer<typeof textDataSchema>>;

/** A manifest that was checked: docs/spec/manifest.md. */
export type Manifest = Readonly<Omit<z.infer<typeof manifestSchema>, 'data'>> & {
  readonly data: SampleData | TextData;
};

/** First token that a merge makes: 256 bytes and the separator of documents stand before it. */
export const FIRST_MERGED_TOKEN = 257;

/** Tokens that a tokeniser knows. */
export function vocabularySize({ tokenizer }: Pick<TextData, 'tokenizer'>): number {
  return FIRST_MERGED_TOKEN + tokenizer.merges.length;
}

/** A tensor of the model, row-major; no sides for a scalar. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where a tensor lies in the vector of coordinates. */
export interface TensorSlice extends TensorSpec {
  readonly offset: number;
  readonly length: number;
}

/** The manifest in bytes that somebody served. @throws AssayError `MANIFEST` naming the first field that is wrong. */
export function parseManifest(bytes: Uint8Array): Manifest {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new AssayError('MANIFEST', {
      summary: 'the manifest is not JSON',
      expected: `a JSON document with "format": "${MANIFEST_FORMAT}"`,
      received: `${bytes.length} bytes that do not parse`,
      cause,
    });
  }
  return checkManifest(document);
}

/** `document` as a manifest. @throws AssayError `MANIFEST` naming the first field that is wrong. */
export function checkManifest(document: unknown): Manifest {
  const parsed = manifestSchema.safeParse(document);
  if (!parsed.success) throw wrongAt(parsed.error.issues[0]!);
  const { task, training } = parsed.data;
  const data = (task === 'language-model' ? textDataSchema : sampleDataSchema).safeParse(parsed.data.data);
  if (!data.success) {
    const issue = data.error.issues[0]!;
    throw wrongAt({ path: ['data', ...issue.path], message: `of a ${task} federation: ${issue.message}` });
  }
  checkTraining(training);
  if ('tokenizer' in data.data) checkMerges(data.data.tokenizer.merges);
  const names = parsed.data.tensors.map((tensor) => tensor.name);
  const sorted = [...new Set(names)].sort(compareBytewise);
  if (sorted.length !== names.length || sorted.some((name, i) => name !== names[i])) {
    throw new AssayError('MANIFEST', {
      summary: 'the tensors of the manifest are not in order',
      expected: `names sorted bytewise, each once: ${sorted.join(', ')}`,
      received: names.join(', '),
    });
  }
  return { ...parsed.data, data: data.data };
}

function wrongAt({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): AssayError {
  return new AssayError('MANIFEST', {
    summary: `the manifest is wrong at ${path.join('.') || 'its top level'}`,
    expected: 'a manifest as docs/spec/manifest.md describes it',
    received: message,
  });
}

/** What fields of `training` demand of each other. */
function checkTraining(training: TrainingSettings): void {
  const { localEpochs, localSteps, optimizer, algorithm } = training;
  const refuse = (field: keyof TrainingSettings, message: string) => wrongAt({ path: ['training', field], message });
  if ((localEpochs === undefined) === (localSteps === undefined)) {
    throw refuse('localSteps', 'one of localEpochs and localSteps is there, not both and not none');
  }
  const foreign = (optimizer === 'sgd' ? (['beta1', 'beta2', 'epsilon'] as const) : (['momentum'] as const)).find(
    (field) => training[field] !== undefined,
  );
  if (foreign !== undefined) throw refuse(foreign, `${optimizer} has no ${foreign}`);
  if (algorithm?.kind === 'scaffold' || algorithm?.kind === 'fednova') {
    // Both divide an update by its steps: what it was made of must be a sum of gradients.
    if (optimizer !== 'sgd') throw refuse('algorithm', `${algorithm.kind} is defined for sgd`);
    // The control that everybody reads off the chain is the mean step of participants who all took as many.
    if (algorithm.kind === 'scaffold' && localSteps === undefined) {
      throw refuse('algorithm', 'scaffold needs localSteps: the same number of steps of every participant');
    }
  }
}

function checkMerges(merges: TextData['tokenizer']['merges']): void {
  const wrong = merges.findIndex((pair, i) => pair.some((id) => id >= FIRST_MERGED_TOKEN + i || id === 256));
  if (wrong === -1) return;
  throw wrongAt({
    path: ['data', 'tokenizer', 'merges', wrong],
    message: `merge ${wrong} joins two of the tokens before it, ${FIRST_MERGED_TOKEN + wrong}, and not the separator 256`,
  });
}

/** The manifest's canonical bytes: what is stored and addressed. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(canonicalJson(manifest as unknown as Json));
}

/** Every tensor's place in the vector of coordinates, in order. */
export function tensorSlices(tensors: readonly TensorSpec[]): TensorSlice[] {
  let offset = 0;
  return tensors.map(({ name, shape }) => {
    const length = shape.reduce((product, extent) => product * extent, 1);
    const slice = { name, shape, offset, length };
    offset += length;
    return slice;
  });
}

/** d: coordinates of the model. */
export function manifestDimension(manifest: Pick<Manifest, 'tensors'>): number {
  return tensorSlices(manifest.tensors).reduce((sum, slice) => sum + slice.length, 0);
}

/** Order of UTF-8 bytes, which is the order of code points (not of UTF-16 units). */
export function compareBytewise(a: string, b: string): number {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    if (left[i] !== right[i]) return left[i]! - right[i]!;
  }
  return left.length - right.length;
}

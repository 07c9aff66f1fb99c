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

const manifestSchema = z.strictObject({
  format: z.literal(MANIFEST_FORMAT),
  /** What people call the federation. */
  name: z.string().min(1).max(200),
  task: z.literal('classification'),
  /** Architecture: `kind` selects the builder, the rest are its own settings. */
  model: z.looseObject({ kind: z.string().min(1) }),
  tensors: z.array(z.strictObject({ name: z.string().min(1), shape: z.array(positiveInt) })).min(1),
  training: z.strictObject({
    localEpochs: positiveInt,
    batchSize: positiveInt,
    learningRate: z.number().positive(),
    optimizer: z.literal('sgd'),
    momentum: z.number().min(0).lt(1),
  }),
  data: z.strictObject({ features: positiveInt, classes: positiveInt }),
  /** Kernel set that trains, by name and version: another set gives other bits. */
  engine: z.string().min(1),
});

/** A manifest that was checked: docs/spec/manifest.md. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;

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
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new AssayError('MANIFEST', {
      summary: `the manifest is wrong at ${issue.path.join('.') || 'its top level'}`,
      expected: `a manifest as docs/spec/manifest.md describes it`,
      received: issue.message,
    });
  }
  const names = parsed.data.tensors.map((tensor) => tensor.name);
  const sorted = [...new Set(names)].sort(compareBytewise);
  if (sorted.length !== names.length || sorted.some((name, i) => name !== names[i])) {
    throw new AssayError('MANIFEST', {
      summary: 'the tensors of the manifest are not in order',
      expected: `names sorted bytewise, each once: ${sorted.join(', ')}`,
      received: names.join(', '),
    });
  }
  return parsed.data;
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

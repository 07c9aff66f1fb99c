/**
 * `assay-proof/1`: a proof as a file that `assay audit` writes and `assay dispute` submits. Bytes are hexadecimal text,
 * integers beyond 32 bits decimal text. A file may come from anybody: it is parsed strictly, once, here.
 */
import { z } from 'zod';
import { fromHex, type Hex, toHex } from '../encoding/bytes.ts';
import { canonicalJson, type Json } from '../encoding/canonicalJson.ts';
import { AssayError } from '../errors.ts';
import { PUBLISHED_TREES } from './badVacancy.ts';
import type { FraudProof } from './fraudProof.ts';

export const PROOF_FORMAT = 'assay-proof/1';
/** Largest file that is read: calldata of the largest transaction, as text, several times over. */
export const MAX_PROOF_BYTES = 16 * 2 ** 20;

const bytes = z.codec(z.string().regex(/^0x([0-9a-f]{2})*$/), z.instanceof(Uint8Array), {
  decode: (text) => new Uint8Array(fromHex(text)),
  encode: toHex,
});
const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/) as unknown as z.ZodType<Hex>;
const uint = (bits: number) =>
  z.codec(
    z.string().regex(/^(0|[1-9]\d{0,77})$/),
    z
      .bigint()
      .min(0n)
      .max(2n ** BigInt(bits) - 1n),
    {
      decode: BigInt,
      encode: String,
    },
  );
const small = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32 - 1);
const roundNumber = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

const reveals = z.array(
  z.strictObject({
    index: z.number().int().min(0).max(65_535),
    participant: address,
    root: hex32,
    normSq: uint(64),
    cidHash: hex32,
  }),
);
const publication = z.strictObject({
  modelRoot: hex32,
  stateRoot: hex32,
  gramRoot: hex32,
  mixingHash: hex32,
  submissionSet: hex32,
  modelCid: bytes,
  evidenceCid: bytes,
});

const proof = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('badSum'),
    round: roundNumber,
    reveals,
    accused: small,
    opening: z.strictObject({
      level: small,
      position: small,
      claimedSum: uint(64),
      preimage: bytes,
      hash: hex32,
      path: z.array(z.strictObject({ hash: hex32, sum: uint(64) })),
    }),
  }),
  z.strictObject({
    kind: z.literal('badVacancy'),
    round: roundNumber,
    publication,
    tree: z.enum(PUBLISHED_TREES),
    level: small,
    position: small,
    hash: hex32,
    path: bytes,
  }),
  z.strictObject({
    kind: z.literal('badCoordinate'),
    round: roundNumber,
    chunk: small,
    coordinate: small,
    publication,
    previous: publication.nullable(),
    reveals,
    rows: z.array(bytes),
    oldModel: bytes,
    newModel: bytes,
    oldState: bytes,
    newState: bytes,
    mixing: bytes,
  }),
  z.strictObject({
    kind: z.literal('badGramLeaf'),
    round: roundNumber,
    span: small,
    first: small,
    second: small,
    publication,
    reveals,
    matrix: bytes,
    row: bytes,
    path: bytes,
    firstChunks: bytes,
    secondChunks: bytes,
  }),
  z.strictObject({
    kind: z.literal('badGramNode'),
    round: roundNumber,
    level: small,
    position: small,
    publication,
    reveals,
    children: bytes,
    path: bytes,
  }),
  z.strictObject({
    kind: z.literal('badMixing'),
    round: roundNumber,
    publication,
    reveals,
    root: bytes,
    mixing: bytes,
    nearest: z.array(uint(256)),
  }),
  z.strictObject({
    kind: z.literal('copiedUpdate'),
    round: roundNumber,
    reveals,
    copy: small,
    originalRound: roundNumber,
    originalReveals: reveals,
    original: small,
  }),
]);

const fileSchema = z.strictObject({
  format: z.literal(PROOF_FORMAT),
  chainId: z.number().int().min(1),
  federation: address,
  proof,
});

/** A proof and the federation whose contract it is for. */
export interface ProofFile {
  readonly chainId: number;
  readonly federation: Hex;
  readonly proof: FraudProof;
}

/** The file's canonical bytes. @throws AssayError `PROOF_FILE` for a proof that no file can hold. */
export function encodeProofFile({ chainId, federation, proof }: ProofFile): Uint8Array {
  const encoded = z.safeEncode(fileSchema, { format: PROOF_FORMAT, chainId, federation, proof: proof as never });
  if (!encoded.success) throw wrong(encoded.error);
  return new TextEncoder().encode(`${canonicalJson(encoded.data as unknown as Json)}\n`);
}

/** The proof in a file. @throws AssayError `PROOF_FILE` naming the first field that is wrong. */
export function parseProofFile(file: Uint8Array): ProofFile {
  if (file.length > MAX_PROOF_BYTES) {
    throw new AssayError('PROOF_FILE', {
      summary: 'the proof file is too large',
      expected: `at most ${MAX_PROOF_BYTES} bytes`,
      received: `${file.length} bytes`,
    });
  }
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file));
  } catch (cause) {
    throw new AssayError('PROOF_FILE', {
      summary: 'the proof file is not JSON',
      expected: `a JSON document with "format": "${PROOF_FORMAT}"`,
      received: `${file.length} bytes that do not parse`,
      fix: 'write it again with `assay audit`',
      cause,
    });
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) throw wrong(parsed.error);
  const { chainId, federation, proof: found } = parsed.data;
  return { chainId, federation, proof: found as FraudProof };
}

function wrong(error: z.ZodError): AssayError {
  const issue = error.issues[0]!;
  return new AssayError('PROOF_FILE', {
    summary: `the proof file is wrong at ${issue.path.join('.') || 'its top level'}`,
    expected: `a document of the format ${PROOF_FORMAT}`,
    received: issue.message,
    fix: 'write it again with `assay audit`',
  });
}

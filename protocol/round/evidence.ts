/**
 * The evidence document that an aggregator stores beside each model: what it claims to have computed with, so that a
 * reader need not replay the round to look at it. Nothing in it is trusted; an auditor recomputes all but `metrics`.
 */
import { z } from 'zod';
import type { Hex } from '../encoding/bytes.ts';
import { canonicalJson, type Json } from '../encoding/canonicalJson.ts';
import { AssayError } from '../errors.ts';

export const EVIDENCE_FORMAT = 'assay-evidence/2';
/**
 * Largest evidence document that a reader accepts: the Gram and mixing matrices of 100 participants need about 150 kB.
 */
export const MAX_EVIDENCE_BYTES = 4 * 2 ** 20;

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/) as unknown as z.ZodType<Hex>;
/** Of 64 bits, signed or not: to read a number of millions of digits would hold an auditor up for seconds. */
const integerText = z.string().regex(/^-?\d{1,20}$/);

const evidenceSchema = z.strictObject({
  format: z.literal(EVIDENCE_FORMAT),
  chainId: z.number().int(),
  federation: address,
  round: z.number().int().positive(),
  baseModelRoot: hex32,
  modelRoot: hex32,
  stateRoot: hex32,
  gramRoot: hex32,
  mixingHash: hex32,
  /** CID of the server state's payload; null for a stateless step. */
  stateCid: z.string().nullable(),
  /** CID of the Gram tree's leaves (`gramPayloadLength`); null for a rule without a Gram matrix. */
  gramCid: z.string().nullable(),
  /** The rows, in order: what the round's reveals are without the voided ones. Nobody chooses who counts. */
  submissions: z.array(
    z.strictObject({
      index: z.number().int().min(0),
      participant: address,
      root: hex32,
      normSq: integerText,
      cid: z.string(),
      /**
       * Coordinates of the sampled chunks (aggregation/trimming.ts) at which this row was trimmed; null where the rule
       * trims none.
       */
      trimmed: z.number().int().min(0).nullable(),
    }),
  ),
  /** Upper triangle of the Gram matrix, row-major; null for a rule without one. */
  gram: z.array(integerText).nullable(),
  mixing: z
    .strictObject({
      rows: z.number().int().positive(),
      columns: z.number().int().positive(),
      denominator: z.number().int().positive(),
      weights: z.array(z.number().int()),
    })
    .nullable(),
  /** The aggregator's own evaluation on its held-out data, a claim that nobody can check. */
  metrics: z.strictObject({ accuracy: z.number(), loss: z.number(), samples: z.number().int().positive() }).nullable(),
});

/** An evidence document that was checked for its form, and for nothing else. */
export type Evidence = Readonly<z.infer<typeof evidenceSchema>>;

/** The document's canonical bytes: what is stored and addressed. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  return new TextEncoder().encode(canonicalJson(evidence as unknown as Json));
}

/** The document in bytes that somebody served. @throws AssayError `EVIDENCE` naming the first field that is wrong. */
export function parseEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > MAX_EVIDENCE_BYTES) {
    throw new AssayError('EVIDENCE', {
      summary: 'the evidence document is too large',
      expected: `at most ${MAX_EVIDENCE_BYTES} bytes`,
      received: `${bytes.length} bytes`,
    });
  }
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new AssayError('EVIDENCE', {
      summary: 'the evidence document is not JSON',
      expected: `a JSON document with "format": "${EVIDENCE_FORMAT}"`,
      received: `${bytes.length} bytes that do not parse`,
      cause,
    });
  }
  const parsed = evidenceSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new AssayError('EVIDENCE', {
    summary: `the evidence document is wrong at ${issue.path.join('.') || 'its top level'}`,
    expected: `a document of the format ${EVIDENCE_FORMAT}`,
    received: issue.message,
  });
}

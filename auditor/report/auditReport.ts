/** The result of an audit, and the schema of its JSON form: docs/spec/report.md. */
import { z } from 'zod';
import { FINDING_KINDS } from '../../protocol/dispute/finding.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { ENGINES } from '../../protocol/round/engine/roundEngine.ts';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';

export const AUDIT_FORMAT = 'assay-audit/3';

const hex = z.string().regex(/^0x[0-9a-f]*$/) as unknown as z.ZodType<Hex, Hex>;
const count = z.number().int().min(0);

const divergenceSchema = z.strictObject({
  round: count,
  chunk: count,
  coordinate: count,
  expected: z.number().int(),
  published: z.number().int(),
});

export const findingSchema = z.strictObject({
  kind: z.enum(FINDING_KINDS),
  /** breach: the round's result is wrong or cannot be checked. misconduct: the result stands without who misbehaved. */
  severity: z.enum(['breach', 'misconduct']),
  /** 0: about the federation as a whole. */
  round: count,
  accused: hex.nullable(),
  role: z.enum(['participant', 'aggregator', 'contract', 'unknown']),
  message: z.string(),
  expected: z.string().nullable(),
  received: z.string().nullable(),
  divergence: divergenceSchema.nullable(),
  /** The proof's file, where the audit wrote one: what `assay dispute` submits. */
  proof: z.string().nullable(),
});

export const roundReportSchema = z.strictObject({
  round: count,
  opening: count,
  phase: z.enum(ROUND_PHASES),
  /** No breach, and, where a model is published, every number of it computed anew. */
  ok: z.boolean(),
  /**
   * replayed: computed anew now. remembered: computed anew by an earlier audit, the same on the chain since.
   * unpublished: no model yet. unverifiable: could not be computed anew, `notes` say why.
   */
  verified: z.enum(['replayed', 'remembered', 'unpublished', 'unverifiable']),
  /** Rows of the round: updates that counted. */
  updates: count,
  voided: count,
  /** Bytes of all payloads that were read for the round. */
  payloadBytes: count,
  baseModelRoot: hex,
  modelRoot: hex.nullable(),
  publishedBy: hex.nullable(),
  publicationTransaction: hex.nullable(),
  /** Accuracy the aggregator claims, 0..1: nobody can check it. */
  claimedAccuracy: z.number().nullable(),
  claimedLoss: z.number().nullable(),
  /** Weight that mixing and trimming left each update, 1 being an equal share; null where the rule trims none. */
  weights: z.array(z.strictObject({ index: count, participant: hex, weight: z.number() })).nullable(),
  seconds: z.number().min(0),
  findings: z.array(findingSchema),
  notes: z.array(z.string()),
});

export const auditReportSchema = z.strictObject({
  format: z.literal(AUDIT_FORMAT),
  /** Every round holds: no breach, and nothing published was left unverified. */
  ok: z.boolean(),
  chainId: count,
  federation: hex,
  /** RPC endpoint, or path of the bundle. */
  source: z.string(),
  /** What computed the rounds anew; a few chunks of each were computed by the reference in any case. */
  engine: z.enum(ENGINES),
  head: z.strictObject({ number: count, hash: hex, timestamp: count }),
  parameters: z.strictObject({
    rule: z.string(),
    byzantine: count,
    serverOptimizer: z.string(),
    /** Whether the contract judges proofs of what the rule makes of the updates; false: audit only. */
    enforced: z.boolean(),
    dimension: count,
    chunkSize: count,
    /** Null: no bound. */
    normSqBound: z.string().nullable(),
    minUpdates: count,
    challengeWindowSeconds: count,
    totalRounds: count,
    genesisModelRoot: hex,
  }),
  currentRound: count,
  lastFinalRound: count,
  rounds: z.array(roundReportSchema),
  /** All findings: of the federation (round 0), then of the rounds in order. */
  findings: z.array(findingSchema),
  seconds: z.number().min(0),
});

export type ReportFinding = Readonly<z.infer<typeof findingSchema>>;
export type RoundReport = Readonly<z.infer<typeof roundReportSchema>>;
export type AuditReport = Readonly<z.infer<typeof auditReportSchema>>;

/** The report as a JSON document. @throws ZodError when the report does not fit its own schema: a defect of ours. */
export function jsonReport(report: AuditReport): string {
  return `${JSON.stringify(auditReportSchema.parse(report), null, 2)}\n`;
}

/** 0 only if every round holds. */
export function auditExitCode(report: Pick<AuditReport, 'ok'>): 0 | 1 {
  return report.ok ? 0 : 1;
}

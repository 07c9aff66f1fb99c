/** The demonstration's `--json`: its schema (docs/spec/facts.md) and how it is made from what was seen. */
import { z } from 'zod';
import { type AuditReport, findingSchema } from '../../auditor/report/auditReport.ts';
import { PROOF_KINDS } from '../../protocol/dispute/fraudProof.ts';
import type { Scoreboard } from './scoreboard.ts';
import { DEMO_TASKS } from './tasks/names.ts';

const gasSchema = z.strictObject({
  count: z.int(),
  total: z.int(),
  mean: z.int(),
  least: z.int(),
  most: z.int(),
});

/** Perplexities per token on held-out files, by silo and on all together. */
const placesSchema = { union: z.number(), bitsPerByte: z.number(), silos: z.array(z.number()) };

const codeSchema = z.strictObject({
  /** Minibatches that every model compared here was trained with, the federated one at each silo. */
  steps: z.int(),
  silos: z.array(
    z.strictObject({
      name: z.string(),
      heldOutTokens: z.int(),
      heldOutBytes: z.int(),
      /** Perplexity of the model that this silo trained alone, on its own held-out files and on everybody's. */
      aloneOwn: z.number(),
      aloneUnion: z.number(),
    }),
  ),
  /** One model trained on everybody's code. */
  centralised: z.strictObject(placesSchema),
  /** The federated model, from round 0, the first model, on. */
  rounds: z.array(z.strictObject({ round: z.int(), ...placesSchema })),
  completions: z.array(z.strictObject({ prompt: z.string(), completion: z.string() })),
});

export const demoFactsSchema = z.strictObject({
  command: z.literal('demo'),
  task: z.enum(DEMO_TASKS),
  federation: z.string(),
  chainId: z.int(),
  rpcUrl: z.string(),
  seed: z.string(),
  rule: z.string(),
  normBound: z.string(),
  clients: z.int(),
  byzantine: z.int(),
  attack: z.string().nullable(),
  /** Of the last model on what is held out: share of right classes, next tokens or pixels, 0..1. */
  finalAccuracy: z.number(),
  finalModelRoot: z.string(),
  rounds: z.array(
    z.strictObject({
      round: z.int(),
      accuracy: z.number(),
      /** Nats per sample, per token, or per image (negative ELBO). */
      loss: z.number(),
      modelRoot: z.string(),
      transaction: z.string(),
      updates: z.int(),
      payloadBytes: z.int(),
      /**
       * train: the slowest participant; aggregate: fetching, verifying, computing, evaluating; audit: the same,
       * replayed.
       */
      seconds: z.strictObject({ train: z.number(), aggregate: z.number(), audit: z.number() }),
    }),
  ),
  /** Whole demonstration, and its two sums that are compared. */
  seconds: z.number(),
  aggregationSeconds: z.number(),
  auditSeconds: z.number(),
  audit: z.strictObject({ ok: z.boolean(), findings: z.array(findingSchema) }),
  /** Who was convicted, and challengers whose accusation was false: what it cost them, and the transaction that did it. */
  slashed: z.array(
    z.strictObject({
      who: z.string(),
      role: z.enum(['participant', 'aggregator', 'challenger']),
      proof: z.enum(PROOF_KINDS),
      round: z.int(),
      /** The whole stake of the role; of a challenger the bond. */
      amountWei: z.string(),
      tx: z.string(),
      gas: z.int(),
    }),
  ),
  gas: z.record(z.string(), gasSchema),
  /**
   * Mean weight that mixing and trimming left each participant, 1 being an equal share; null where the rule trims none.
   */
  weights: z.array(z.strictObject({ participant: z.string(), byzantine: z.boolean(), weight: z.number() })).nullable(),
  /** Coordinates of all updates that did not fit int16 and were cut. */
  saturated: z.int(),
  /** Of the task `code`, else null. */
  code: codeSchema.nullable(),
  /** Of the task `digits`, else null. */
  digits: z.strictObject({ sheet: z.string(), images: z.int() }).nullable(),
  files: z.record(z.string(), z.string()),
});

export type DemoFacts = z.infer<typeof demoFactsSchema>;

/** The parts of the facts that follow from what the nodes and the auditor said. */
export function roundFacts(board: Scoreboard, report: AuditReport): DemoFacts['rounds'] {
  return board.publishedRounds().map(({ number, progress, published }) => ({
    round: number,
    accuracy: published.metrics?.accuracy ?? 0,
    loss: published.metrics?.loss ?? 0,
    modelRoot: published.modelRoot,
    transaction: published.transaction,
    updates: published.updates,
    payloadBytes: published.payloadBytes,
    seconds: {
      train: progress.trainSeconds,
      aggregate: published.aggregateSeconds,
      audit: report.rounds.find(({ round }) => round === number)?.seconds ?? 0,
    },
  }));
}

export function gasFacts(board: Scoreboard): DemoFacts['gas'] {
  return Object.fromEntries(
    [...board.gas].map(([action, gas]) => [action, { ...gas, mean: Math.round(gas.total / gas.count) }]),
  );
}

/** Most trimmed first. */
export function weightFacts(board: Scoreboard, byzantine: ReadonlySet<string>): DemoFacts['weights'] {
  const weights = new Map<string, number[]>();
  for (const { published } of board.publishedRounds()) {
    for (const { participant, weight } of published.weights ?? []) {
      weights.set(participant, [...(weights.get(participant) ?? []), weight]);
    }
  }
  if (weights.size === 0) return null;
  return [...weights]
    .map(([participant, all]) => ({
      participant,
      byzantine: byzantine.has(participant.toLowerCase()),
      weight: all.reduce((sum, weight) => sum + weight, 0) / all.length,
    }))
    .sort((a, b) => a.weight - b.weight);
}

/**
 * One run of a simulated federation, self-contained: the same cell gives the same bits wherever it stands, and is known by
 * the hash of its settings.
 */
import { z } from 'zod';
import { sha256 } from '#sha256';
import { MAX_PARTICIPANTS } from '../../protocol/aggregation/rule.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { canonicalJson, type Json } from '../../protocol/encoding/canonicalJson.ts';

/** Part of every cell's key: raise it when the same settings give other bits. */
const SIMULATOR_VERSION = 1;

const count = z.int().min(1);
export const ruleSchema = z.strictObject({
  name: z.string(),
  /** m of multi-krum. */
  selected: z.int().min(0).optional(),
  bucketSize: count.optional(),
  iterations: count.optional(),
  /** Participant index for fltrust and monna. */
  reference: z.int().min(0).optional(),
  /** tau of centered-clipping, float units. */
  clipRadius: z.number().positive().optional(),
});

const serverSchema = z.strictObject({
  optimizer: z.enum(['fedAvg', 'fedAvgM', 'fedAdagrad', 'fedAdam', 'fedYogi']).default('fedAvg'),
  learningRate: z.number().positive().max(16).default(1),
  momentum: z.number().min(0).lt(1).default(0),
  secondMoment: z.number().min(0).lt(1).default(0),
  /** tau of the adaptive steps, float units. */
  adaptivity: z.number().positive().optional(),
});

/** What all cells of a grid have in common. */
export const commonShape = {
  /** `mnist` or `csv:PATH?label=COLUMN`. */
  dataset: z.string().default('mnist'),
  /** Widths of the hidden layers; [] is softmax regression. */
  hidden: z.array(count).default([64]),
  activation: z.enum(['relu', 'tanh', 'sigmoid']).default('relu'),
  participants: count,
  /** How many of them, drawn anew, take part in a round; default: all. */
  perRound: count.max(MAX_PARTICIPANTS).optional(),
  /** How many of the participants attack, and f of the rule. */
  byzantine: z.int().min(0).default(0),
  /** Whether the data are divided among all participants; if not, among the honest, and attackers draw from all. */
  attackersHoldData: z.boolean().default(true),
  /** What attackers know: see `OmniscientView` and `AttackContext`. */
  view: z.enum(['omniscient', 'lone']).default('omniscient'),
  rounds: count.max(100_000),
  training: z
    .strictObject({
      /** Either passes over the own data, or that many batches of it. */
      localEpochs: count.optional(),
      localSteps: count.optional(),
      batchSize: count,
      learningRate: z.number().positive(),
      momentum: z.number().min(0).lt(1).default(0),
      /** beta of the momentum that a participant keeps over its updates: m = beta m + (1 - beta) update. */
      workerMomentum: z.number().min(0).lt(1).default(0),
    })
    .refine(({ localEpochs, localSteps }) => (localEpochs === undefined) !== (localSteps === undefined), {
      message: 'localEpochs or localSteps, one of the two',
    }),
  /** Largest L2 norm of an update, float units; null for none. */
  normBound: z.number().positive().nullable().default(null),
  server: serverSchema.prefault({}),
  /** The model is measured after every so many rounds, and after the last. */
  evaluateEvery: count.default(1),
};

const commonSchema = z.strictObject(commonShape);
export type RuleSpec = Readonly<z.output<typeof ruleSchema>>;

/** The settings of one run. */
export type Cell = Readonly<z.output<typeof commonSchema>> & {
  readonly rule: RuleSpec;
  /** The field's name; null for no attack. */
  readonly attack: string | null;
  readonly alpha: number | 'iid';
  readonly seed: string;
};

/** What a finished cell is found by: equal settings, equal keys, whatever grid they stand in. */
export function cellKey(cell: Cell): string {
  // Through JSON: fields that are undefined are not there.
  const document = JSON.parse(JSON.stringify({ version: SIMULATOR_VERSION, ...cell })) as Json;
  return toHex(sha256(new TextEncoder().encode(canonicalJson(document)))).slice(2, 34);
}

/** How a rule is called in tables: its name, and what the name leaves open. */
export function ruleLabel(cell: Pick<Cell, 'rule'>): string {
  const { name, ...options } = cell.rule;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? name : `${name} (${given.map(([key, value]) => `${key} ${value}`).join(', ')})`;
}

/**
 * One run of a simulated federation, self-contained: the same cell gives the same bits wherever it stands, and is known by
 * the hash of its settings.
 */
import { z } from 'zod';
import { sha256 } from '#sha256';
import { MAX_PARTICIPANTS } from '../../protocol/aggregation/rule.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { canonicalJson, type Json } from '../../protocol/encoding/canonicalJson.ts';
import { FIRST_MERGED_TOKEN } from '../../protocol/encoding/manifest.ts';
import { PUBLIC_TEXT, PUBLIC_VOCABULARY } from '../datasets/text/publicText.ts';
import { PERSONALISATIONS, personalisationSchema } from '../personalisation/settings.ts';
import type { AlgorithmChoice } from '../training/algorithms/algorithmChoice.ts';
import { cellTask, MODEL_PRESETS } from './modelChoice.ts';

/** Part of every cell's key: raise it when the same settings give other bits. */
const SIMULATOR_VERSION = 2;
/** Of image generators on participants' own samples: once their accuracy, since then what they are measured by. */
const OWN_IMAGES_VERSION = 3;

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
  /** `mnist`, `csv:PATH?label=COLUMN`; text: `package:NAME,NAME` or `text:FOLDER`. */
  dataset: z.string().default('mnist'),
  /** Of text: what the tokeniser's merges are learnt from, a data set of text, and how many tokens there are at most. */
  tokenizer: z
    .strictObject({
      dataset: z.string().default(PUBLIC_TEXT),
      vocabulary: z.int().min(FIRST_MERGED_TOKEN).max(65_536).default(PUBLIC_VOCABULARY),
    })
    .optional(),
  /** Settings of a model, as a manifest has them, or the name of a preset; default: an MLP of `hidden` and `activation`, of text a small transformer. */
  model: z.union([z.enum(MODEL_PRESETS), z.looseObject({ kind: z.string() })]).optional(),
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
      optimizer: z.enum(['sgd', 'adam']).optional(),
      /** Of sgd. */
      momentum: z.number().min(0).lt(1).default(0),
      maxGradientNorm: z.number().positive().optional(),
      /** Devices of unequal speed: participant i takes as many steps in a round as entry i modulo the length says. */
      deviceSteps: z.array(count).min(1).optional(),
      /** beta of the momentum that a participant keeps over its updates: m = beta m + (1 - beta) update. */
      workerMomentum: z.number().min(0).lt(1).default(0),
    })
    .refine(({ localEpochs, localSteps }) => (localEpochs === undefined) !== (localSteps === undefined), {
      message: 'localEpochs or localSteps, one of the two',
    }),
  /** Largest L2 norm of an update, float units; null for none. */
  normBound: z.number().positive().nullable().default(null),
  server: serverSchema.prefault({}),
  /** Share of every participant's own samples that is kept from training, to measure what the models do for it. */
  heldOutPerParticipant: z.number().positive().lt(1).optional(),
  /** Ways to personalise the last model, measured on those samples; what an algorithm does not prepare is left out. */
  personalisation: z
    .array(
      z.union([
        z.enum(PERSONALISATIONS).transform((method) => personalisationSchema.parse({ method })),
        personalisationSchema,
      ]),
    )
    .optional(),
  /** The model is measured after every so many rounds, and after the last. */
  evaluateEvery: count.default(1),
};

const commonSchema = z.strictObject(commonShape);
export type RuleSpec = Readonly<z.output<typeof ruleSchema>>;

/** The settings of one run. */
export type Cell = Readonly<z.output<typeof commonSchema>> & {
  readonly rule: RuleSpec;
  /** Absent: fedavg. */
  readonly algorithm?: AlgorithmChoice;
  /** The field's name; null for no attack. */
  readonly attack: string | null;
  /** `natural`, of text: each participant has a package or folder of its own. */
  readonly alpha: number | 'iid' | 'natural';
  readonly seed: string;
};

/** What a finished cell is found by: equal settings, equal keys, whatever grid they stand in. */
export function cellKey(cell: Cell): string {
  const ownImages = cell.heldOutPerParticipant !== undefined && cellTask(cell) === 'image-generation';
  const version = ownImages ? OWN_IMAGES_VERSION : SIMULATOR_VERSION;
  // Through JSON: fields that are undefined are not there.
  const document = JSON.parse(JSON.stringify({ version, ...cell })) as Json;
  return toHex(sha256(new TextEncoder().encode(canonicalJson(document)))).slice(2, 34);
}

/** How a cell's row is called in tables: its rule and algorithm, and what their names leave open. */
export function ruleLabel({ rule, algorithm }: Pick<Cell, 'rule' | 'algorithm'>): string {
  const { name, ...options } = rule;
  if (algorithm === undefined) return named(name, options);
  const { kind, ...settings } = algorithm;
  return `${named(name, options)} / ${named(kind, settings)}`;
}

function named(name: string, options: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? name : `${name} (${given.map(([key, value]) => `${key} ${value}`).join(', ')})`;
}

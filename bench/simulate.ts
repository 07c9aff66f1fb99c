/**
 * A federation without its chain: the same data, trainer, update encoding, rule and server step as a real one, all in
 * this process. Learning curves come out bit for bit as a federation of well-behaved processes would have them, in
 * seconds.
 */
import type { Attack } from '../client/attacks/attack.ts';
import { type Dataset, type DatasetSplit, takeRows } from '../client/datasets/dataset.ts';
import { partitionDirichlet } from '../client/datasets/partition/dirichlet.ts';
import { createEngine } from '../client/training/tfjs/engine.ts';
import { normSqBoundOf } from '../client/update/clipUpdate.ts';
import { prepareUpdate } from '../client/update/prepareUpdate.ts';
import { parseRule } from '../protocol/aggregation/rule.ts';
import { FED_AVG } from '../protocol/aggregation/serverStep.ts';
import {
  DEFAULT_MODEL_FRACTION_BITS,
  DEFAULT_UPDATE_FRACTION_BITS,
  fixedToFloat,
  floatToFixed,
} from '../protocol/encoding/fixedPoint.ts';
import { DEFAULT_CHUNK_SIZE } from '../protocol/encoding/layout.ts';
import type { Manifest } from '../protocol/encoding/manifest.ts';
import { computeRound } from '../protocol/round/computeRound.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../protocol/round/parameters.ts';

export interface Simulation {
  readonly manifest: Manifest;
  readonly data: DatasetSplit;
  readonly rounds: number;
  readonly clients: number;
  /** Participants 0..byzantine-1 attack; the rule tolerates as many. */
  readonly byzantine: number;
  readonly attack: Attack | null;
  /** `nnm+trimmed-mean`, `fedavg`, ... */
  readonly rule: string;
  /** L2 norm bound, float units; `null` for none. */
  readonly maxUpdateNorm: number | null;
  /** Dirichlet concentration of the silos. */
  readonly alpha: number;
  readonly seed: number;
}

export interface SimulatedRound {
  /** On the held-out samples, 0..1. */
  readonly accuracy: number;
  /** CPU-bound wall time of all participants' training, seconds. */
  readonly trainSeconds: number;
  /** Median L2 norm of the honest updates before clipping. */
  readonly medianNorm: number;
  /** Honest participants whose update the bound cut. */
  readonly clipped: number;
  /** Coordinates of honest updates that did not fit int16. */
  readonly saturated: number;
}

export async function simulate(options: Simulation): Promise<SimulatedRound[]> {
  const { manifest, data, clients, seed, attack } = options;
  const engine = await createEngine(manifest);
  const silos = partitionDirichlet(data.train, clients, options.alpha, seed).map((rows, participant): Dataset => {
    const silo = takeRows(data.train, rows);
    return attack?.corruptDataset !== undefined && participant < options.byzantine ? attack.corruptDataset(silo) : silo;
  });
  const parameters: LearningParameters = {
    dimension: engine.model.dimension,
    chunkSize: DEFAULT_CHUNK_SIZE,
    modelFractionBits: DEFAULT_MODEL_FRACTION_BITS,
    updateFractionBits: DEFAULT_UPDATE_FRACTION_BITS,
    normSqBound:
      options.maxUpdateNorm === null
        ? NO_NORM_BOUND
        : normSqBoundOf(options.maxUpdateNorm, DEFAULT_UPDATE_FRACTION_BITS),
    rule: parseRule(options.rule, options.byzantine),
    serverStep: FED_AVG,
  };
  let model = floatToFixed(engine.init(seed), parameters.modelFractionBits);
  let previousBase: Float32Array | null = null;
  const errors = new Array<Float32Array | null>(clients).fill(null);
  const history: SimulatedRound[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const base = fixedToFloat(model, parameters.modelFractionBits);
    const started = performance.now();
    const trained = silos.map((silo, participant) =>
      engine.train(silo, { weights: base, round, seed: `${seed}/${participant}` }),
    );
    const trainSeconds = (performance.now() - started) / 1000;
    const updates = trained.map(({ weights }, participant) =>
      prepareUpdate({
        trained: weights,
        base,
        tensors: manifest.tensors,
        error: errors[participant] ?? null,
        normSqBound: parameters.normSqBound,
        updateFractionBits: parameters.updateFractionBits,
        round,
        seed: `${seed}/${participant}`,
        previousBase,
        ...(attack !== null && participant < options.byzantine ? { attack } : {}),
      }),
    );
    updates.forEach(({ error }, participant) => {
      errors[participant] = error;
    });
    model = computeRound(
      parameters,
      updates.map(({ quantized }) => quantized),
      model,
    ).model;
    previousBase = base;
    const honest = updates.slice(attack === null ? 0 : options.byzantine);
    history.push({
      accuracy: engine.evaluate(data.test, fixedToFloat(model, parameters.modelFractionBits)).accuracy,
      trainSeconds,
      medianNorm: median(honest.map(({ norm }) => norm)),
      clipped: honest.filter(({ clipFactor }) => clipFactor < 1).length,
      saturated: honest.reduce((sum, { saturated }) => sum + saturated, 0),
    });
  }
  return history;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

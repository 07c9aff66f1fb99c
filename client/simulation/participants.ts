/** The participants of a simulated federation: their data, and what each remembers from round to round. */

import type { Attack } from '../attacks/attack.ts';
import { type AnyDataset, isText } from '../datasets/text/textDataset.ts';
import { createRandom, permutation, type SeedPart } from '../random.ts';
import type { Engine } from '../training/tfjs/engine.ts';
import type { LocalMemory } from '../training/trainer.ts';
import { computeUpdate } from '../update/computeUpdate.ts';
import type { Cell } from './cell.ts';
import type { Pool } from './pool.ts';

export interface Participant {
  /** 0-based; attackers are the last ones, as in the demonstration. */
  readonly index: number;
  readonly silo: AnyDataset;
  /** Samples or text of its own that it does not train on; null when the cell holds none out. */
  readonly heldOut: AnyDataset | null;
  readonly attacks: boolean;
  /** Of its training and rounding: the one a node `client-<index>` of the demonstration has. */
  readonly seed: SeedPart;
  /** Rounding error after the last update that was sent, `[d]`. */
  error: Float32Array | null;
  /** `[d]`; null before the first update. */
  momentum: Float32Array | null;
  /** What it keeps beside its rounding error, after the last update that was sent. */
  memory: LocalMemory;
}

/** What a participant made of a round's model. */
export interface LocalUpdate {
  /** What it would send but for clipping and rounding, `[d]`. */
  readonly update: Float32Array;
  /** What it keeps once that is sent. */
  readonly memory: LocalMemory;
}

/** @param attack of those that attack; null when all are honest */
export function createParticipants(cell: Cell, pool: Pool, attack: Attack | null): Participant[] {
  const { participants, byzantine, attackersHoldData, heldOutPerParticipant, alpha, seed } = cell;
  const honest = participants - byzantine;
  const silos = attackersHoldData ? participants : honest;
  const parts = pool.divide(silos, alpha, seed);
  const drawn = permutation(createRandom(seed, 'attackers data'), pool.size);
  const share = Math.max(1, Math.floor(pool.size / participants));
  return Array.from({ length: participants }, (_, index) => {
    const isLast = index >= honest;
    const own: SeedPart = `${seed}/client-${index}`;
    const items = parts[index] ?? drawn.slice((index - honest) * share, (index - honest + 1) * share).sort();
    const split = heldOutPerParticipant === undefined ? null : pool.takeAndHoldOut(items, heldOutPerParticipant, own);
    const silo = split?.train ?? pool.take(items);
    const attacks = isLast && attack !== null;
    return {
      index,
      silo: attacks && !isText(silo) ? (attack.corruptDataset?.(silo) ?? silo) : silo,
      attacks,
      heldOut: split?.test ?? null,
      seed: own,
      error: null,
      momentum: null,
      memory: {},
    };
  });
}

/** The model of a round, and of the one before, as floats. */
export interface RoundModels {
  readonly round: number;
  readonly weights: Float32Array;
  readonly previousWeights: Float32Array | null;
  readonly serverLearningRate: number;
}

/** Honest training on a participant's data. */
export function trainParticipant(
  engine: Engine,
  participant: Participant,
  models: RoundModels,
  { training }: Pick<Cell, 'training'>,
): LocalUpdate {
  const { workerMomentum, deviceSteps } = training;
  const { silo, seed, memory, index } = participant;
  const localSteps = deviceSteps?.[index % deviceSteps.length];
  const trained = engine.train(silo, { ...models, memory, seed, ...(localSteps !== undefined && { localSteps }) });
  const update = computeUpdate(trained.weights, models.weights);
  if (workerMomentum === 0) return { update, memory: trained.memory };
  // Karimireddy, He and Jaggi 2021, "Learning from history": robust rules need what a momentum averages out.
  const momentum = participant.momentum ?? new Float32Array(update.length);
  for (let k = 0; k < momentum.length; k++) {
    momentum[k] = workerMomentum * momentum[k]! + (1 - workerMomentum) * update[k]!;
  }
  participant.momentum = momentum;
  return { update: momentum, memory: trained.memory };
}

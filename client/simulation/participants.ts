/** The participants of a simulated federation: their data, and what each remembers from round to round. */

import type { Attack } from '../attacks/attack.ts';
import { type Dataset, takeRows } from '../datasets/dataset.ts';
import { partitionDirichlet } from '../datasets/partition/dirichlet.ts';
import { partitionIid } from '../datasets/partition/iid.ts';
import { createRandom, permutation, type SeedPart } from '../random.ts';
import type { Engine } from '../training/tfjs/engine.ts';
import { computeUpdate } from '../update/computeUpdate.ts';
import type { Cell } from './cell.ts';

export interface Participant {
  /** 0-based; attackers are the last ones, as in the demonstration. */
  readonly index: number;
  readonly silo: Dataset;
  readonly attacks: boolean;
  /** Of its training and rounding: the one a node `client-<index>` of the demonstration has. */
  readonly seed: SeedPart;
  /** Rounding error after the last update that was sent, `[d]`. */
  error: Float32Array | null;
  /** `[d]`; null before the first update. */
  momentum: Float32Array | null;
}

/** @param attack of those that attack; null when all are honest */
export function createParticipants(cell: Cell, train: Dataset, attack: Attack | null): Participant[] {
  const { participants, byzantine, attackersHoldData, alpha, seed } = cell;
  const honest = participants - byzantine;
  const silos = attackersHoldData ? participants : honest;
  const parts = alpha === 'iid' ? partitionIid(train, silos, seed) : partitionDirichlet(train, silos, alpha, seed);
  const drawn = permutation(createRandom(seed, 'attackers data'), train.size);
  const share = Math.max(1, Math.floor(train.size / participants));
  return Array.from({ length: participants }, (_, index) => {
    const isLast = index >= honest;
    const rows = parts[index] ?? drawn.slice((index - honest) * share, (index - honest + 1) * share).sort();
    const silo = takeRows(train, rows);
    const attacks = isLast && attack !== null;
    return {
      index,
      silo: attacks ? (attack.corruptDataset?.(silo) ?? silo) : silo,
      attacks,
      seed: `${seed}/client-${index}`,
      error: null,
      momentum: null,
    };
  });
}

/** Honest training on a participant's data: the update it would send but for clipping and rounding, `[d]`. */
export function trainParticipant(
  engine: Engine,
  participant: Participant,
  base: Float32Array,
  round: number,
  { training }: Cell,
): Float32Array {
  const { localSteps, batchSize, workerMomentum } = training;
  const { silo, seed } = participant;
  const batches = localSteps === undefined ? silo : drawBatches(silo, localSteps * batchSize, seed, round);
  const update = computeUpdate(engine.train(batches, { weights: base, round, seed }).weights, base);
  if (workerMomentum === 0) return update;
  // Karimireddy, He and Jaggi 2021, "Learning from history": robust rules need what a momentum averages out.
  const momentum = participant.momentum ?? new Float32Array(update.length);
  for (let k = 0; k < momentum.length; k++) {
    momentum[k] = workerMomentum * momentum[k]! + (1 - workerMomentum) * update[k]!;
  }
  participant.momentum = momentum;
  return momentum;
}

/** That many samples, none twice before all were there. */
function drawBatches(silo: Dataset, samples: number, seed: SeedPart, round: number): Dataset {
  const random = createRandom(seed, 'batches', round);
  const rows: number[] = [];
  while (rows.length < samples) rows.push(...permutation(random, silo.size).subarray(0, samples - rows.length));
  return takeRows(silo, rows);
}

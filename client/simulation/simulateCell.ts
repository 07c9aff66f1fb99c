/**
 * One run of a federation without its chain, all in this thread: the data, trainer, clipping, rounding, rule and server
 * step of real nodes. With lone attackers, passes over the own data and no worker momentum a run ends with the model, to
 * the bit, that a federation of processes would have published. What the contract would do to updates is done here: a
 * norm above the bound and a copied update do not count.
 */
import { historyChunk } from '../../protocol/aggregation/history.ts';
import { minimumUpdates, usesHistory } from '../../protocol/aggregation/rule.ts';
import { stateVectors, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { fixedToFloat, floatToFixed } from '../../protocol/encoding/fixedPoint.ts';
import { loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { backdoorSamples } from '../attacks/backdoor.ts';
import { parseAttack } from '../attacks/registry.ts';
import type { DatasetSplit } from '../datasets/dataset.ts';
import { createRandom, permutation } from '../random.ts';
import { createEngine } from '../training/tfjs/engine.ts';
import type { Cell } from './cell.ts';
import { cellManifest, cellParameters } from './cellParameters.ts';
import { keptShares } from './keptShares.ts';
import { contextOf, makeUpdates, type Run } from './makeUpdates.ts';
import { createParticipants, type Participant } from './participants.ts';
import { RuleMemory } from './ruleMemory.ts';
import { Tally, type TallyResult } from './tally.ts';

export interface CellResult extends TallyResult {
  /** On the held-out samples, 0..1, after the rounds that were measured. */
  readonly accuracy: readonly { readonly round: number; readonly accuracy: number }[];
  readonly finalAccuracy: number;
  readonly bestAccuracy: number;
  /** Share of held-out samples of other classes that the last model takes for the target when triggered. */
  readonly backdoorSuccess: number | null;
  /** Commitment to the last model. */
  readonly modelRoot: string;
}

/**
 * @param data of the cell's data set
 * @throws AssayError as training and the rule do
 */
export async function simulateCell(cell: Cell, data: DatasetSplit): Promise<CellResult> {
  const attack = cell.attack === null || cell.byzantine === 0 ? null : parseAttack(cell.attack);
  const engine = await createEngine(cellManifest(cell, data.train));
  const { dimension } = engine.model;
  const parameters = cellParameters(cell, dimension);
  const present = cell.perRound ?? cell.participants;
  const planes = stateVectors(parameters.serverStep);
  const run: Run = {
    cell,
    engine,
    parameters,
    attack,
    participants: createParticipants(cell, data.train, attack),
    notes: new Map(),
    memory: new RuleMemory(parameters.rule, present + 2, dimension),
    historySlot: usesHistory(parameters.rule) ? present + 1 : null,
    kernel: new QuantizeKernel(loadKernels()),
    model: floatToFixed(engine.init(cell.seed), parameters.modelFractionBits),
    previous: null,
    state: planes === 0 ? null : new Int32Array(planes * dimension),
  };
  const accuracy: { round: number; accuracy: number }[] = [];
  const tally = new Tally(cell.participants);
  for (let round = 1; round <= cell.rounds; round++) {
    runRound(run, round, tally);
    if (round % cell.evaluateEvery === 0 || round === cell.rounds) {
      const weights = fixedToFloat(run.model, parameters.modelFractionBits);
      accuracy.push({ round, accuracy: engine.evaluate(data.test, weights).accuracy });
    }
  }
  const triggered = backdoorSamples(data.test);
  const weights = fixedToFloat(run.model, parameters.modelFractionBits);
  const honest = run.participants.filter((participant) => !participant.attacks).map(({ index }) => index);
  return {
    accuracy,
    finalAccuracy: accuracy.at(-1)!.accuracy,
    bestAccuracy: Math.max(...accuracy.map((measured) => measured.accuracy)),
    backdoorSuccess: triggered === undefined ? null : engine.evaluate(triggered, weights).accuracy,
    ...tally.summary(honest),
    modelRoot: commitModel(run.model, layoutOf(parameters)),
  };
}

function runRound(run: Run, round: number, tally: Tally): void {
  const { parameters, memory, historySlot } = run;
  const present = drawPresent(run, round);
  const history = historySlot === null ? null : historyChunk(run.model, run.previous, parameters);
  if (history !== null) memory.write(historySlot!, history);
  const base = fixedToFloat(run.model, parameters.modelFractionBits);
  const sent = makeUpdates(run, present, base, round);
  const counted = present.flatMap((participant, i) => {
    const update = sent[i]!;
    return update !== null && update.normSq <= parameters.normSqBound ? [{ participant, row: update.quantized }] : [];
  });
  tally.refused += present.length - counted.length;
  if (counted.length < minimumUpdates(parameters.rule)) {
    tally.abandoned++;
    return;
  }
  counted.forEach(({ row }, slot) => {
    memory.write(slot, row);
  });
  const indices = counted.map(({ participant }) => participant.index);
  const aggregate = memory.apply([...counted.keys()], historySlot, contextOf(run, round, indices));
  const rows = counted.map(({ row }) => row);
  const shares = keptShares(
    parameters.rule,
    history === null ? rows : [...rows, history],
    rows.length,
    aggregate.mixing,
  );
  counted.forEach(({ participant }, i) => {
    tally.add(participant, shares[i]!);
  });
  run.previous = run.model.slice();
  stepChunk(parameters.serverStep, run.model, run.state, aggregate.numerators, aggregate.denominator, parameters);
}

/** Who takes part in a round, in order of their indices. */
function drawPresent({ cell, participants }: Run, round: number): readonly Participant[] {
  const { perRound, seed } = cell;
  if (perRound === undefined || perRound === participants.length) return participants;
  const drawn = permutation(createRandom(seed, 'present', round), participants.length).subarray(0, perRound);
  return Array.from(drawn.sort(), (index) => participants[index]!);
}

/**
 * One run of a federation without its chain, all in this thread: the data, trainer, clipping, rounding, rule and server
 * step of real nodes. With lone attackers and no worker momentum a run ends with the model, to
 * the bit, that a federation of processes would have published. What the contract would do to updates is done here: a
 * norm above the bound and a copied update do not count.
 */
import { historyChunk } from '../../protocol/aggregation/history.ts';
import { minimumUpdates, usesHistory } from '../../protocol/aggregation/rule.ts';
import { stateVectors, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { fixedToFloat, floatToFixed } from '../../protocol/encoding/fixedPoint.ts';
import { manifestDimension } from '../../protocol/encoding/manifest.ts';
import { loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { backdoorSamples } from '../attacks/backdoor.ts';
import { parseAttack } from '../attacks/registry.ts';
import { isText } from '../datasets/text/textDataset.ts';
import { personalise } from '../personalisation/personalise.ts';
import { createRandom, permutation } from '../random.ts';
import { createEngine } from '../training/tfjs/engine.ts';
import type { Cell } from './cell.ts';
import { cellManifest, cellParameters } from './cellParameters.ts';
import { keptShares } from './keptShares.ts';
import { contextOf, makeUpdates, type Run } from './makeUpdates.ts';
import { createParticipants, type Participant } from './participants.ts';
import { applicable, evaluateShared, type ParticipantResult, participantResults } from './personalResults.ts';
import { poolOf } from './pool.ts';
import { RuleMemory } from './ruleMemory.ts';
import { isSimulatedText, type SimulationData } from './simulationData.ts';
import { Tally, type TallyResult } from './tally.ts';

/** The model after a round: on the shared held-out samples, or, where heads stay at home, the mean over own ones. */
export interface Measured {
  readonly round: number;
  /** Share of right classes, next tokens or pixels. */
  readonly accuracy: number;
  /** In nats, per sample, token or image. */
  readonly loss: number;
}

export interface CellResult extends TallyResult {
  /** On what is held out, after the rounds that were measured. */
  readonly accuracy: readonly Measured[];
  readonly finalAccuracy: number;
  readonly bestAccuracy: number;
  /** Share of held-out samples of other classes that the last model takes for the target when triggered. */
  readonly backdoorSuccess: number | null;
  /** Per honest participant, when samples of its own are held out. */
  readonly participants?: readonly ParticipantResult[];
  /** Commitment to the last model. */
  readonly modelRoot: string;
}

/**
 * @param data of the cell's data set
 * @throws AssayError as training and the rule do
 */
export async function simulateCell(cell: Cell, data: SimulationData): Promise<CellResult> {
  const attack = cell.attack === null ? null : parseAttack(cell.attack);
  const manifest = cellManifest(cell, isSimulatedText(data) ? data.data : data.train);
  const engine = await createEngine(manifest);
  const dimension = manifestDimension(manifest);
  const parameters = cellParameters(cell, dimension);
  const present = cell.perRound ?? cell.participants;
  const planes = stateVectors(parameters.serverStep);
  const run: Run = {
    cell,
    engine,
    parameters,
    attack,
    participants: createParticipants(cell, poolOf(data), attack),
    notes: new Map(),
    memory: new RuleMemory(parameters.rule, present + 2, dimension),
    historySlot: usesHistory(parameters.rule) ? present + 1 : null,
    kernel: new QuantizeKernel(loadKernels()),
    model: floatToFixed(engine.init(cell.seed), parameters.modelFractionBits),
    previous: null,
    state: planes === 0 ? null : new Int32Array(planes * dimension),
  };
  const honest = run.participants.filter((participant) => !participant.attacks);
  const methods = applicable(cell.personalisation ?? [], manifest.training);
  const ditto = methods.find(({ method }) => method === 'ditto');
  const headsAtHome = engine.parts.head.length > 0;
  const measure = (weights: Float32Array): Omit<Measured, 'round'> => {
    if (!headsAtHome) {
      const { accuracy, loss } = engine.evaluate(data.test, weights);
      return { accuracy, loss };
    }
    const each = honest.map((participant) => evaluateShared(engine, participant, weights));
    return { accuracy: mean(each.map((one) => one.accuracy)), loss: mean(each.map((one) => one.loss)) };
  };
  const accuracy: Measured[] = [];
  const tally = new Tally(cell.participants);
  for (let round = 1; round <= cell.rounds; round++) {
    const before = ditto === undefined ? null : fixedToFloat(run.model, parameters.modelFractionBits);
    const present = runRound(run, round, tally);
    if (ditto !== undefined) {
      for (const participant of present) {
        if (participant.attacks) continue;
        const { silo, memory, seed } = participant;
        const task = { settings: ditto, weights: before!, memory, round, seed };
        participant.memory = { ...memory, ...personalise(engine, manifest, silo, task).memory };
      }
    }
    if (round % cell.evaluateEvery === 0 || round === cell.rounds) {
      const weights = fixedToFloat(run.model, parameters.modelFractionBits);
      accuracy.push({ round, ...measure(weights) });
    }
  }
  const triggered =
    headsAtHome || manifest.task !== 'classification' || isText(data.test) ? undefined : backdoorSamples(data.test);
  const weights = fixedToFloat(run.model, parameters.modelFractionBits);
  return {
    accuracy,
    finalAccuracy: accuracy.at(-1)!.accuracy,
    bestAccuracy: Math.max(...accuracy.map((measured) => measured.accuracy)),
    backdoorSuccess: triggered === undefined ? null : engine.evaluate(triggered, weights).accuracy,
    ...tally.summary(honest.map(({ index }) => index)),
    ...(cell.heldOutPerParticipant !== undefined && {
      participants: participantResults(engine, manifest, methods, honest, weights, cell.rounds),
    }),
    modelRoot: commitModel(run.model, layoutOf(parameters)),
  };
}

/** @returns who took part */
function runRound(run: Run, round: number, tally: Tally): readonly Participant[] {
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
    return present;
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
  return present;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Who takes part in a round, in order of their indices. */
function drawPresent({ cell, participants }: Run, round: number): readonly Participant[] {
  const { perRound, seed } = cell;
  if (perRound === undefined || perRound === participants.length) return participants;
  const drawn = permutation(createRandom(seed, 'present', round), participants.length).subarray(0, perRound);
  return Array.from(drawn.sort(), (index) => participants[index]!);
}

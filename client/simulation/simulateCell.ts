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
import { toHex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat, floatToFixed } from '../../protocol/encoding/fixedPoint.ts';
import { loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { Attack } from '../attacks/attack.ts';
import { backdoorSamples } from '../attacks/backdoor.ts';
import { parseAttack } from '../attacks/registry.ts';
import type { DatasetSplit } from '../datasets/dataset.ts';
import { createRandom, deriveSeed, permutation } from '../random.ts';
import { createEngine, type Engine } from '../training/tfjs/engine.ts';
import { l2Norm } from '../update/clipUpdate.ts';
import { computeUpdate } from '../update/computeUpdate.ts';
import { type PreparedUpdate, roundAttack, roundUpdate } from '../update/prepareUpdate.ts';
import type { Cell } from './cell.ts';
import { cellManifest, cellParameters } from './cellParameters.ts';
import { keptShares, LEFT_OUT_BELOW } from './keptShares.ts';
import { createParticipants, type Participant, trainParticipant } from './participants.ts';
import { type RowsContext, RuleMemory } from './ruleMemory.ts';
import { ruleTrial } from './ruleTrial.ts';

export interface CellResult {
  /** On the held-out samples, 0..1, after the rounds that were measured. */
  readonly accuracy: readonly { readonly round: number; readonly accuracy: number }[];
  readonly finalAccuracy: number;
  readonly bestAccuracy: number;
  /** Share of held-out samples of other classes that the last model takes for the target when triggered. */
  readonly backdoorSuccess: number | null;
  /** Per honest participant: part of its rounds in which it had less than half of an equal share. */
  readonly leftOut: readonly number[];
  /** Per honest participant: its mean share, 1 being an equal one. */
  readonly share: readonly number[];
  /** Attackers' mean share; null without any that counted. */
  readonly attackerShare: number | null;
  /** Updates that the contract would not count: norm above the bound, or copied. */
  readonly refused: number;
  /** Rounds without enough updates for the rule; the model stays as it is. */
  readonly abandoned: number;
  /** Commitment to the last model. */
  readonly modelRoot: string;
}

/** What goes on from round to round. */
interface Run {
  readonly cell: Cell;
  readonly engine: Engine;
  readonly parameters: LearningParameters;
  readonly attack: Attack | null;
  readonly participants: readonly Participant[];
  readonly notes: Map<string, number>;
  /** A slot per participant of a round, one for an attacker's candidate, one for the history row. */
  readonly memory: RuleMemory;
  readonly historySlot: number | null;
  readonly kernel: QuantizeKernel;
  model: Int32Array;
  /** The model that the last round started from; null in the first. */
  previous: Int32Array | null;
  /** Planes of d: see `stateVectors`. */
  state: Int32Array | null;
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

function contextOf({ cell }: Run, round: number, indices: readonly number[]): RowsContext {
  return { indices, seed: toHex(deriveSeed(cell.seed, 'round', round)) };
}

/** Who takes part in a round, in order of their indices. */
function drawPresent({ cell, participants }: Run, round: number): readonly Participant[] {
  const { perRound, seed } = cell;
  if (perRound === undefined || perRound === participants.length) return participants;
  const drawn = permutation(createRandom(seed, 'present', round), participants.length).subarray(0, perRound);
  return Array.from(drawn.sort(), (index) => participants[index]!);
}

/** Each one's update as it would be revealed; null for none, and for a copy, which the contract voids. */
function makeUpdates(
  run: Run,
  present: readonly Participant[],
  base: Float32Array,
  round: number,
): (PreparedUpdate | null)[] {
  const { cell, engine, parameters, attack, previous, notes, memory, historySlot, kernel } = run;
  const train = (participant: Participant) => trainParticipant(engine, participant, base, round, cell);
  const rounding = ({ seed, error }: Participant) => ({
    seed,
    error,
    round,
    normSqBound: parameters.normSqBound,
    updateFractionBits: parameters.updateFractionBits,
    kernel,
  });
  const attackers = present.filter((participant) => participant.attacks);
  const sent = new Map<Participant, PreparedUpdate | null>();
  for (const participant of present) {
    if (participant.attacks) continue;
    const update = train(participant);
    // A node whose training diverged says so and sends nothing (`checkFinite`).
    sent.set(participant, Number.isFinite(l2Norm(update)) ? roundUpdate(update, rounding(participant)) : null);
  }
  const honest = [...sent].flatMap(([{ index }, update]) =>
    update === null ? [] : [{ index, row: update.quantized }],
  );
  const rows = honest.map(({ row }) => row);
  const conspire = cell.view === 'omniscient' ? attack?.conspire : undefined;
  const isDefined = rows.length > 0 && rows.length + attackers.length >= minimumUpdates(parameters.rule);
  let crafted: Float32Array | undefined;
  if (conspire !== undefined && attackers.length > 0 && isDefined) {
    const indices = [...honest, ...attackers].map(({ index }) => index);
    const context = contextOf(run, round, indices);
    const trial = ruleTrial(parameters, memory, rows, attackers.length, historySlot, context);
    crafted = conspire({ ...trial, attackers: attackers.length, notes });
  }
  const collusion = cell.view === 'omniscient' ? { attackers: attackers.length, participants: present.length } : null;
  const lastStep =
    crafted !== undefined || attackers.length === 0 || previous === null
      ? null
      : computeUpdate(base, fixedToFloat(previous, parameters.modelFractionBits));
  for (const participant of attackers) {
    if (crafted !== undefined) sent.set(participant, roundUpdate(crafted, rounding(participant)));
    else if (attack!.copies && round > 1) sent.set(participant, null);
    else sent.set(participant, roundAttack(attack!, train(participant), lastStep, collusion, rounding(participant)));
  }
  return present.map((participant) => {
    const update = sent.get(participant)!;
    participant.error = update?.error ?? participant.error;
    return update;
  });
}

/** Sums over the rounds of a run. */
class Tally {
  refused = 0;
  abandoned = 0;
  private readonly rounds: number[];
  private readonly out: number[];
  private readonly shares: number[];
  private attackerShares = 0;
  private attackerRounds = 0;

  constructor(participants: number) {
    this.rounds = new Array<number>(participants).fill(0);
    this.out = this.rounds.slice();
    this.shares = this.rounds.slice();
  }

  add({ index, attacks }: Participant, share: number): void {
    if (attacks) {
      this.attackerShares += share;
      this.attackerRounds++;
      return;
    }
    this.rounds[index]!++;
    this.shares[index]! += share;
    if (share < LEFT_OUT_BELOW) this.out[index]!++;
  }

  summary(
    honest: readonly number[],
  ): Pick<CellResult, 'leftOut' | 'share' | 'attackerShare' | 'refused' | 'abandoned'> {
    const mean = (sums: readonly number[]) =>
      honest.map((i) => (this.rounds[i] === 0 ? 0 : sums[i]! / this.rounds[i]!));
    return {
      leftOut: mean(this.out),
      share: mean(this.shares),
      attackerShare: this.attackerRounds === 0 ? null : this.attackerShares / this.attackerRounds,
      refused: this.refused,
      abandoned: this.abandoned,
    };
  }
}

/** What the participants of a round send: honest updates first, then what attackers make of them. */
import { minimumUpdates } from '../../protocol/aggregation/rule.ts';
import { Q16 } from '../../protocol/aggregation/serverStep.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import type { Attack } from '../attacks/attack.ts';
import { deriveSeed } from '../random.ts';
import type { Engine } from '../training/tfjs/engine.ts';
import type { LocalMemory } from '../training/trainer.ts';
import { l2Norm } from '../update/clipUpdate.ts';
import { computeUpdate } from '../update/computeUpdate.ts';
import { type PreparedUpdate, roundAttack, roundUpdate } from '../update/prepareUpdate.ts';
import type { Cell } from './cell.ts';
import { type Participant, trainParticipant } from './participants.ts';
import type { RowsContext, RuleMemory } from './ruleMemory.ts';
import { ruleTrial } from './ruleTrial.ts';

/** What goes on from round to round. */
export interface Run {
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

/** What the rule may know of a round besides its rows. */
export function contextOf({ cell }: Run, round: number, indices: readonly number[]): RowsContext {
  return { indices, seed: toHex(deriveSeed(cell.seed, 'round', round)) };
}

/** Each one's update as it would be revealed; null for none, and for a copy, which the contract voids. */
export function makeUpdates(
  run: Run,
  present: readonly Participant[],
  base: Float32Array,
  round: number,
): (PreparedUpdate | null)[] {
  const { cell, engine, parameters, attack, previous, notes, memory, historySlot, kernel } = run;
  const models = {
    round,
    weights: base,
    previousWeights: previous === null ? null : fixedToFloat(previous, parameters.modelFractionBits),
    serverLearningRate: parameters.serverStep.learningRateQ16 / Q16,
  };
  const memories = new Map<Participant, LocalMemory>();
  const train = (participant: Participant): Float32Array => {
    const { update, memory } = trainParticipant(engine, participant, models, cell);
    memories.set(participant, memory);
    return update;
  };
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
      : computeUpdate(base, models.previousWeights!);
  for (const participant of attackers) {
    if (crafted !== undefined) sent.set(participant, roundUpdate(crafted, rounding(participant)));
    else if (attack!.copies && round > 1) sent.set(participant, null);
    else sent.set(participant, roundAttack(attack!, train(participant), lastStep, collusion, rounding(participant)));
  }
  return present.map((participant) => {
    const update = sent.get(participant)!;
    if (update !== null) {
      participant.error = update.error;
      participant.memory = { ...participant.memory, ...memories.get(participant) };
    }
    return update;
  });
}

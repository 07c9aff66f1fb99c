/** What the models of a run do for each honest participant, on samples of its own that nobody trained on. */
import type { AssayError } from '../../protocol/errors.ts';
import { personalise } from '../personalisation/personalise.ts';
import { checkPersonalisation, type Personalisation } from '../personalisation/settings.ts';
import { finiteOrNull, measureOf } from '../training/measure.ts';
import type { Engine } from '../training/tfjs/engine.ts';
import type { Evaluation, TrainingManifest } from '../training/trainer.ts';
import type { Participant } from './participants.ts';

export interface ParticipantResult {
  readonly index: number;
  /** Samples (windows, of text) that it trains on, and that are held out. */
  readonly samples: number;
  readonly heldOut: number;
  /**
   * What the task is measured by, there, of the federation's last model, with the own head where that stays at home; null,
   * as JSON has it, for a model whose loss is no number.
   */
  readonly shared: number | null;
  /** Of its own model, by method. */
  readonly personal: Readonly<Record<string, number | null>>;
}

/** The ways to personalise that a cell asks for and its federation prepares. */
export function applicable(
  methods: readonly Personalisation[],
  training: TrainingManifest['training'],
): readonly Personalisation[] {
  return methods.filter((settings) => {
    try {
      checkPersonalisation(settings, training);
      return true;
    } catch (error) {
      if ((error as AssayError).code === 'PERSONALISATION') return false;
      throw error;
    }
  });
}

/**
 * @param participants the honest ones; each has samples held out
 * @param weights the last model, federated coordinates
 */
export function participantResults(
  engine: Engine,
  manifest: TrainingManifest,
  methods: readonly Personalisation[],
  participants: readonly Participant[],
  weights: Float32Array,
  round: number,
): ParticipantResult[] {
  const measure = measureOf(manifest.task);
  const measured = (evaluation: Evaluation) => finiteOrNull(measure.of(evaluation));
  return participants.map((participant) => {
    const { index, silo, heldOut, seed, memory } = participant;
    const personal = methods.map((settings): [string, number | null] => {
      const own = personalise(engine, manifest, silo, { settings, weights, memory, round, seed });
      return [settings.method, measured(engine.local.evaluate(heldOut!, own.weights))];
    });
    return {
      index,
      samples: silo.size,
      heldOut: heldOut!.size,
      shared: measured(evaluateShared(engine, participant, weights)),
      personal: Object.fromEntries(personal),
    };
  });
}

/** The federation's model on a participant's held-out samples, under its own head where that stays at home. */
export function evaluateShared(
  { parts, local }: Pick<Engine, 'parts' | 'local'>,
  { heldOut, memory, seed }: Pick<Participant, 'heldOut' | 'memory' | 'seed'>,
  weights: Float32Array,
): Evaluation {
  return local.evaluate(heldOut!, parts.join(weights, parts.ownHead(memory, seed)));
}

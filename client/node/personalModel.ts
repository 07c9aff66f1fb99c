/** A participant's own model: made after each round's training and once more from the last model, written beside its state. */
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { encodeSafetensors } from '../export/safetensors.ts';
import { describeModel } from '../models/registry.ts';
import type { LocalMemory } from '../training/trainer.ts';
import type { TrainContext } from './trainContext.ts';

/** Name of the file in the state folder. */
export const PERSONAL_MODEL_FILE = 'personal.safetensors';

/**
 * Personalises the federation's model and writes the result into the state folder.
 *
 * @param weights the federation's model, `[d]`
 * @param memory what the participant keeps after this round's training
 * @returns what to keep beside it; empty when the node does not personalise
 */
export async function makePersonalModel(
  { manifest, state, trainer, seed, personalise, report }: TrainContext,
  round: number,
  weights: Float32Array,
  memory: LocalMemory,
): Promise<LocalMemory> {
  if (personalise === undefined || trainer.personalise === undefined) return {};
  const own = await trainer.personalise({ settings: personalise, weights, memory, round, seed });
  const { tensors } = describeModel(manifest.model);
  const metadata = { format: 'assay-personal-model/1', method: personalise.method, round: String(round) };
  const file = encodeSafetensors({ tensors, weights: own.weights, metadata });
  // Readable by its owner only: it tells of the data it was trained on.
  await writeFileAtomic(state.file(PERSONAL_MODEL_FILE), file, { mode: 0o600 });
  report({ type: 'personalised', round, method: personalise.method, before: own.before, after: own.after });
  return own.memory;
}

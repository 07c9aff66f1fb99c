import type { TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';

/**
 * The minibatches of a participant's round.
 *
 * @param own the device's own number of steps, where it has one
 * @param batchesPerEpoch minibatches in one pass over its data
 * @throws AssayError `LOCAL_STEPS` when the algorithm takes participants of unequal speed for equals: an update of more
 *   steps would weigh more
 */
export function localSteps(training: TrainingSettings, own: number | undefined, batchesPerEpoch: number): number {
  const { algorithm, localEpochs } = training;
  if (own === undefined) return training.localSteps ?? localEpochs! * batchesPerEpoch;
  const kind = algorithm?.kind ?? 'fedavg';
  if ((kind !== 'fednova' && kind !== 'fedprox') || !Number.isSafeInteger(own) || own < 1) {
    throw new AssayError('LOCAL_STEPS', {
      summary: 'this federation leaves no choice of the number of local steps',
      expected: 'a whole number above 0, in a federation of the algorithm fednova or fedprox',
      received: `${own} local steps under ${kind}`,
      fix: 'leave the number to the manifest',
    });
  }
  return own;
}

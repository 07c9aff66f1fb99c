import { describeModel } from '../../client/models/registry.ts';
import { createRandom } from '../../client/random.ts';
import { createObjective } from '../../client/training/objectives/createObjective.ts';
import { loadTensorFlow } from '../../client/training/tfjs/backend.ts';
import { composedOps } from '../../client/training/tfjs/ops/composedOps.ts';
import { encodeTensors, makeData, type NamedValues } from './data.ts';
import { BATCH, BATCHES, SEED, type TrainCase } from './plan.ts';

/**
 * What our engines see in their first steps, down to the noise that an autoencoder draws, as a safetensors file of
 * `STEP/INPUT`: PyTorch is given the same, so that its losses can be compared. The inputs are those of the objectives in
 * client/training/objectives.
 */
export async function encodeFirstBatches(bench: TrainCase, steps: number): Promise<Uint8Array> {
  const tf = await loadTensorFlow();
  const objective = createObjective(
    { tf, ops: composedOps(tf) },
    describeModel(bench.model),
    makeData(bench, BATCH * BATCHES),
  );
  const order = objective.shuffled(createRandom(...SEED, 1));
  const random = createRandom('noise', ...SEED, 1);
  const values: NamedValues[] = [];
  for (let step = 0; step < steps; step++) {
    const { inputs } = objective.take(order.subarray(step * BATCH, (step + 1) * BATCH), random);
    inputs.forEach((tensor, i) => {
      values.push({ name: `${step}/${i}`, shape: tensor.shape, values: tensor.dataSync() });
      tensor.dispose();
    });
  }
  return encodeTensors(values);
}

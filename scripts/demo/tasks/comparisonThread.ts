/** A thread of `ComparisonThreads`. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadDataset, parseDataset } from '../../../client/datasets/loadSilo.ts';
import { bitsPerByte, type TextSplit } from '../../../client/datasets/text/textDataset.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { DEFAULT_MODEL_FRACTION_BITS, fixedToFloat, floatToFixed } from '../../../protocol/encoding/fixedPoint.ts';
import type { ComparisonData, ComparisonJob, ComparisonReply, Measured } from './comparison.ts';

const { manifest, datasets, cacheFolder, seed, steps } = workerData as ComparisonData;
const { localEpochs: _, ...training } = manifest.training;
const engine = await createEngine({ ...manifest, training: { ...training, localSteps: steps } });
const loaded = new Map<number, TextSplit>();

parentPort!.on('message', async ({ id, job }: { id: number; job: ComparisonJob }) => {
  const reply = (answer: ComparisonReply): void => parentPort!.postMessage(answer);
  try {
    const weights = job.kind === 'train' ? await train(job.dataset) : job.weights;
    const measured: Measured[] = [];
    for (const dataset of job.measureOn) {
      const { test } = await splitOf(dataset);
      const { loss } = engine.evaluate(test, weights);
      measured.push({
        dataset,
        loss,
        bitsPerByte: bitsPerByte(loss, test),
        tokens: test.tokens.length,
        bytes: test.bytes,
      });
    }
    reply({ id, measured });
  } catch (error) {
    reply({ id, error });
  }
});

/** As a participant trains in a round, but as many steps as it takes in all of them. */
async function train(dataset: number): Promise<Float32Array> {
  const first = floatToFixed(engine.init(seed), DEFAULT_MODEL_FRACTION_BITS);
  const weights = fixedToFloat(first, DEFAULT_MODEL_FRACTION_BITS);
  return engine.train((await splitOf(dataset)).train, { weights, round: 1, seed: `${seed}/alone-${dataset}` }).weights;
}

async function splitOf(dataset: number): Promise<TextSplit> {
  const known = loaded.get(dataset);
  if (known !== undefined) return known;
  const options = { cacheFolder, seed: 'assay', data: manifest.data };
  const split = (await loadDataset(parseDataset(datasets[dataset]!), options)) as TextSplit;
  loaded.set(dataset, split);
  return split;
}

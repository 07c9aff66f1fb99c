/**
 * Evaluates models on the held-out part of a data set: an aggregator's claim about its model, for people to look at.
 */
import type { Metrics } from '../../aggregator/aggregateRound.ts';
import { loadDataset, parseDataset } from '../../client/datasets/loadSilo.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';

export interface Evaluator {
  readonly evaluate: (model: Int32Array) => Promise<Metrics>;
  close(): Promise<void>;
}

export async function evaluator(
  dataset: string,
  cacheFolder: string,
  manifest: Manifest,
  parameters: Pick<LearningParameters, 'modelFractionBits'>,
): Promise<Evaluator> {
  const { train, test } = await loadDataset(parseDataset(dataset), {
    cacheFolder,
    seed: 'assay',
    data: manifest.data,
  });
  const trainer = createTrainer({ manifest, train, test });
  return {
    async evaluate(model) {
      const { accuracy, loss, samples } = await trainer.evaluate({
        weights: fixedToFloat(model, parameters.modelFractionBits),
      });
      return { accuracy, loss, samples };
    },
    close: () => trainer.close(),
  };
}

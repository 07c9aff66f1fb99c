/**
 * Evaluates models on the held-out part of a data set: an aggregator's claim about its model, for people to look at.
 */
import type { Metrics } from '../../aggregator/aggregateRound.ts';
import { loadDataset, parseDataset } from '../../client/datasets/loadSilo.ts';
import { type AnyDataset, bitsPerByte, isText } from '../../client/datasets/text/textDataset.ts';
import { createTrainer, type TrainerOptions } from '../../client/training/createTrainer.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import { refuseBodies } from './refuseBodies.ts';

export interface Evaluator {
  readonly evaluate: (model: Int32Array) => Promise<Metrics>;
  close(): Promise<void>;
}

export async function evaluator(
  /** Null: only the external trainer's own data. */
  dataset: string | null,
  cacheFolder: string,
  manifest: Manifest,
  parameters: Pick<LearningParameters, 'modelFractionBits'>,
  means: Pick<TrainerOptions, 'external' | 'material'> = {},
  say: (text: string) => void = () => undefined,
): Promise<Evaluator> {
  if (means.external === undefined) refuseBodies(manifest, '--evaluate');
  const data: { readonly train?: AnyDataset; readonly test?: AnyDataset } =
    dataset === null
      ? {}
      : await loadDataset(parseDataset(dataset), { cacheFolder, seed: 'assay', data: manifest.data });
  const trainer = createTrainer({ manifest, ...data, ...means });
  const text = data.test !== undefined && isText(data.test) ? data.test : undefined;
  return {
    async evaluate(model) {
      const { accuracy, loss, samples } = await trainer.evaluate({
        weights: fixedToFloat(model, parameters.modelFractionBits),
      });
      if (text !== undefined) {
        const [perToken, perByte] = [Math.exp(loss).toFixed(2), bitsPerByte(loss, text).toFixed(3)];
        say(`perplexity ${perToken} per token, ${perByte} bits per byte, on ${samples} held-out tokens`);
      }
      return { accuracy, loss, samples };
    },
    close: () => trainer.close(),
  };
}

/** Stored payloads of a round, for tests of what an aggregator makes of them. */
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import { Q16, type ServerStep } from '../../../protocol/aggregation/serverStep.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeModel, encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import type { PayloadStore } from '../../../storage/payloadStore.ts';

export const PLAIN: ServerStep = {
  optimizer: 'fedAvg',
  learningRateQ16: Q16,
  momentumQ16: 0,
  secondMomentQ16: 0,
  adaptivity: 0,
};
export const MOMENTUM: ServerStep = {
  optimizer: 'fedAvgM',
  learningRateQ16: Q16 / 2,
  momentumQ16: (Q16 * 9) / 10,
  secondMomentQ16: 0,
  adaptivity: 0,
};

export function learning(
  dimension: number,
  rule: string,
  byzantine: number,
  serverStep: ServerStep = PLAIN,
  chunkSize = 256,
): LearningParameters {
  return {
    dimension,
    chunkSize,
    modelFractionBits: 24,
    updateFractionBits: 16,
    normSqBound: NO_NORM_BOUND,
    rule: parseRule(rule, byzantine),
    serverStep,
  };
}

/** Stores rows and models; gives their CIDs. */
export async function storeVectors(
  store: PayloadStore,
  { dimension, chunkSize }: LearningParameters,
  rows: readonly Int16Array[],
  models: readonly Int32Array[],
): Promise<{ readonly rows: string[]; readonly models: string[] }> {
  const layout = vectorLayout(dimension, chunkSize);
  const put = async (bytes: Uint8Array): Promise<string> => (await store.put(bytes)).cid;
  return {
    rows: await Promise.all(rows.map((row) => put(encodeUpdate(row, layout)))),
    models: await Promise.all(models.map((model) => put(encodeModel(model, layout)))),
  };
}

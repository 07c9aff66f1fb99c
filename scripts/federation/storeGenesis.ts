/** The two documents a federation starts from, its manifest and its first model, computed from a seed and stored. */
import { describeModel } from '../../client/models/registry.ts';
import { createTrainer, type TrainerOptions } from '../../client/training/createTrainer.ts';
import { TRAINER_PROTOCOL } from '../../client/training/external/task.ts';
import { modelParts } from '../../client/training/modelParts.ts';
import { createEngine, type ModelMaterial } from '../../client/training/tfjs/engine.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { DEFAULT_MODEL_FRACTION_BITS, floatToFixed } from '../../protocol/encoding/fixedPoint.ts';
import { vectorLayout } from '../../protocol/encoding/layout.ts';
import { encodeManifest, type Manifest, manifestDimension } from '../../protocol/encoding/manifest.ts';
import { encodeModel } from '../../protocol/encoding/vectors.ts';
import type { PayloadStore } from '../../storage/payloadStore.ts';
import type { StoredGenesis } from './settings.ts';

export async function storeGenesis(
  store: PayloadStore,
  manifest: Manifest,
  seed: string,
  maxUpdateNorm: number,
  material: ModelMaterial = {},
  external?: TrainerOptions['external'],
): Promise<StoredGenesis> {
  const weights = await initialWeights(manifest, seed, material, external);
  const model = floatToFixed(weights, DEFAULT_MODEL_FRACTION_BITS);
  const dimension = manifestDimension(manifest);
  const layout = vectorLayout(dimension);
  const { cid: manifestCid } = await store.put(encodeManifest(manifest));
  const { cid: modelCid } = await store.put(encodeModel(model, layout));
  return { manifestCid, modelCid, modelRoot: commitModel(model, layout), dimension, maxUpdateNorm };
}

/** From the engine; where every participant brings a trainer, from the command that is given, or from a kind that Assay knows. */
async function initialWeights(
  manifest: Manifest,
  seed: string,
  material: ModelMaterial,
  external: TrainerOptions['external'],
): Promise<Float32Array> {
  if (external !== undefined) {
    const trainer = createTrainer({ manifest, material, external });
    try {
      return await trainer.init(seed);
    } finally {
      await trainer.close();
    }
  }
  if (manifest.engine === TRAINER_PROTOCOL) {
    return modelParts(describeModel(manifest.model), manifest).initialise('federated', seed);
  }
  return (await createEngine(manifest, material)).init(seed);
}

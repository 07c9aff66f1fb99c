/** The two documents a federation starts from, its manifest and its first model, computed from a seed and stored. */
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
): Promise<StoredGenesis> {
  const engine = await createEngine(manifest, material);
  const model = floatToFixed(engine.init(seed), DEFAULT_MODEL_FRACTION_BITS);
  const dimension = manifestDimension(manifest);
  const layout = vectorLayout(dimension);
  const { cid: manifestCid } = await store.put(encodeManifest(manifest));
  const { cid: modelCid } = await store.put(encodeModel(model, layout));
  return { manifestCid, modelCid, modelRoot: commitModel(model, layout), dimension, maxUpdateNorm };
}

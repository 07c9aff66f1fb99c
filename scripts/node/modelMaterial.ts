/** What a manifest leaves to be brought along: the code of a model that is a file, the frozen base of adapters. */
import { readFile } from 'node:fs/promises';
import { baseOf, readBase } from '../../client/models/frozenBase.ts';
import { loadModelFile, readModelFile } from '../../client/models/modelFile.ts';
import type { ModelMaterial } from '../../client/training/tfjs/engine.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';
import type { ModelFileOptions } from '../options/modelFiles.ts';

/** A base is read into memory whole. */
const MAX_BASE_BYTES = 2 ** 31;

/**
 * After this `describeModel` knows the manifest's model in this thread.
 *
 * @param payloads where the base is fetched from when no file is given; null for nowhere
 * @throws AssayError MODEL_FILE, BASE_MODEL, SAFETENSORS, PAYLOAD_UNAVAILABLE
 */
export async function modelMaterial(
  { model }: Pick<Manifest, 'model'>,
  { modelFile: path, baseFile }: ModelFileOptions,
  payloads: PayloadAccess | null,
): Promise<ModelMaterial> {
  const modelFile = path === undefined ? undefined : await readModelFile(path);
  if (modelFile !== undefined) await loadModelFile(modelFile);
  const base = baseOf(model);
  const frozen = base && readBase(model, await baseBytes(base.cid, baseFile, payloads));
  return { ...(modelFile && { modelFile }), ...(frozen && { frozen }) };
}

async function baseBytes(cid: string, path: string | undefined, payloads: PayloadAccess | null): Promise<Uint8Array> {
  if (path !== undefined) {
    return readFile(path).catch((cause) => {
      throw new AssayError('BASE_FILE', {
        summary: 'the file of the base model cannot be read',
        expected: 'a safetensors file',
        received: `${path}: ${(cause as { code?: unknown }).code ?? cause}`,
        cause,
      });
    });
  }
  if (payloads === null) {
    throw new AssayError('BASE_FILE', {
      summary: 'the adapters of this model stand beside a base that is not here',
      expected: '--base-file FILE',
      received: `a manifest that names the base ${cid}`,
    });
  }
  await payloads.fetch(cid, { maxBytes: MAX_BASE_BYTES });
  return payloads.store.readAll(cid, { maxBytes: MAX_BASE_BYTES });
}

import type { BulkHasher } from '../commitment/bulkHasher.ts';
import { ModelCommitter } from '../commitment/merkle.ts';
import type { Hex } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { decodeModel, viewInt32 } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';

/**
 * The coordinates of a model snapshot that somebody served, once they are known to be the ones the chain names. Shape
 * [d]. `hasher`: the kernels that hash; null: plain TypeScript.
 * @throws AssayError `PAYLOAD_LENGTH`, `PAYLOAD_PADDING`, or `MODEL_ROOT` when CID and root disagree: whoever published
 * this model stored other bytes than it committed to.
 */
export function verifyModel(
  payload: Uint8Array,
  layout: VectorLayout,
  root: Hex,
  hasher: BulkHasher | null = null,
): Int32Array {
  const model = decodeModel(payload, layout);
  const committer = new ModelCommitter(layout, hasher);
  committer.appendChunks(viewInt32(payload));
  const received = committer.finish();
  if (received !== root) {
    throw new AssayError('MODEL_ROOT', {
      summary: 'the model stored under the published CID is not the model of the published root',
      expected: `root ${root}`,
      received: `root ${received}`,
      fix: 'do not train on it; audit the round that published it with `assay audit`',
    });
  }
  return model;
}

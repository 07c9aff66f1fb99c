/**
 * Model snapshots and server states by CID, each with the root that its bytes really have. Shared by neighbouring
 * rounds.
 */

import { ModelCommitter } from '../../protocol/commitment/merkle.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { modelPayloadLength, viewInt32 } from '../../protocol/encoding/vectors.ts';
import type { PayloadOutcome, PayloadReader } from './payloadReader.ts';

export type Snapshot =
  | { readonly status: 'found'; readonly vector: Int32Array; readonly root: Hex }
  | Exclude<PayloadOutcome, { readonly status: 'found' }>;

/** Round r's model is its own result and the next one's base: fetched once, kept while it is among the last few. */
const KEPT_BYTES = 256 * 2 ** 20;

export class Snapshots {
  private readonly reader: PayloadReader;
  private readonly layout: VectorLayout;
  private readonly kept = new Map<string, Promise<Snapshot>>();

  constructor(reader: PayloadReader, layout: VectorLayout) {
    this.reader = reader;
    this.layout = layout;
  }

  /** `owner` is the account that owes it. The vector is padded to whole chunks and must not be written to. */
  read(cid: string, owner: string | null): Promise<Snapshot> {
    const known = this.kept.get(cid);
    if (known !== undefined) return known;
    const snapshot = this.fetch(cid, owner);
    this.kept.set(cid, snapshot);
    const most = Math.max(4, Math.floor(KEPT_BYTES / modelPayloadLength(this.layout)));
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= most) break;
      this.kept.delete(oldest);
    }
    return snapshot;
  }

  private async fetch(cid: string, owner: string | null): Promise<Snapshot> {
    const length = modelPayloadLength(this.layout);
    const request = { cid, exactBytes: length, maxBytes: length, ...(owner === null ? {} : { owner }) };
    const outcome = await this.reader.read(request);
    if (outcome.status !== 'found') return outcome;
    const vector = viewInt32(outcome.bytes);
    return { status: 'found', vector, root: vectorRoot(vector, this.layout) };
  }
}

/** Root of a padded vector. */
export function vectorRoot(vector: Int32Array, layout: VectorLayout): Hex {
  const committer = new ModelCommitter(layout);
  for (let start = 0; start < vector.length; start += layout.chunkSize) {
    committer.append(vector.subarray(start, start + layout.chunkSize));
  }
  return committer.finish();
}

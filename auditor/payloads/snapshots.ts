/**
 * Model snapshots and server states by CID, each with the root that its bytes really have. Shared by neighbouring
 * rounds.
 */

import type { BulkHasher } from '../../protocol/commitment/bulkHasher.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import type { Payload } from './payload.ts';
import type { PayloadOutcome, PayloadReader } from './payloadReader.ts';
import { vectorRoot } from './roots.ts';

export type Snapshot =
  | { readonly status: 'found'; readonly payload: Payload; readonly root: Hex }
  | Exclude<PayloadOutcome, { readonly status: 'found' }>;

/** Round r's model is its own result and the next one's base: fetched once, kept while it is among the last few. */
const KEPT_BYTES = 64 * 2 ** 20;

interface Kept {
  readonly snapshot: Promise<Snapshot>;
  readonly readers: Set<object>;
}

export class Snapshots {
  private readonly payloads: PayloadReader;
  private readonly layout: VectorLayout;
  private readonly hasher: BulkHasher | null;
  private readonly kept = new Map<string, Kept>();

  constructor(payloads: PayloadReader, layout: VectorLayout, hasher: BulkHasher | null) {
    this.payloads = payloads;
    this.layout = layout;
    this.hasher = hasher;
  }

  /**
   * `owner` is the account that owes it, `planes` how many vectors lie in it. The bytes stay where they are until
   * `reader` is `done` with them.
   */
  read(cid: string, owner: string | null, reader: object, planes = 1): Promise<Snapshot> {
    const name = `${cid} ${planes}`;
    const known = this.kept.get(name) ?? { snapshot: this.fetch(cid, owner, planes), readers: new Set() };
    this.kept.delete(name); // to stand last again
    this.kept.set(name, known);
    known.readers.add(reader);
    return known.snapshot;
  }

  async done(reader: object): Promise<void> {
    for (const { readers } of this.kept.values()) readers.delete(reader);
    const most = Math.max(4, Math.floor(KEPT_BYTES / modelPayloadLength(this.layout)));
    for (const [name, { snapshot, readers }] of [...this.kept]) {
      if (this.kept.size <= most) break;
      if (readers.size > 0) continue;
      this.kept.delete(name);
      const read = await snapshot;
      if (read.status === 'found') await read.payload.release();
    }
  }

  private async fetch(cid: string, owner: string | null, planes: number): Promise<Snapshot> {
    const length = planes * modelPayloadLength(this.layout);
    const request = { cid, exactBytes: length, maxBytes: length, ...(owner === null ? {} : { owner }) };
    const outcome = await this.payloads.read(request);
    if (outcome.status !== 'found') return outcome;
    const { payload } = outcome;
    return { status: 'found', payload, root: await vectorRoot(payload, this.layout, this.hasher, planes) };
  }
}

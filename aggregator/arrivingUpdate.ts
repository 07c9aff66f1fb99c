import type { BulkHasher } from '../protocol/commitment/bulkHasher.ts';
import { UpdateCommitter } from '../protocol/commitment/merkleSum.ts';
import type { VectorLayout } from '../protocol/encoding/layout.ts';
import { isZeroPadded, UPDATE_COORDINATE_BYTES, updatePayloadLength, viewInt16 } from '../protocol/encoding/vectors.ts';
import type { UpdateFacts } from '../protocol/round/roundIo.ts';

/**
 * What an update commits to, computed from its bytes while they come in (`FetchWish.onBytes`), so that nobody has to
 * read it again. Whether they are the right bytes is for the CID to say: ask for the facts when the fetch has succeeded.
 */
export class ArrivingUpdate {
  private readonly layout: VectorLayout;
  private readonly hasher: BulkHasher | null;
  private committer: UpdateCommitter;
  /** The beginning of a chunk whose end has not come yet; in the end the last chunk. */
  private readonly chunk: Uint8Array;
  private received = 0;

  constructor(layout: VectorLayout, hasher: BulkHasher | null) {
    this.layout = layout;
    this.hasher = hasher;
    this.committer = new UpdateCommitter(layout, hasher);
    this.chunk = new Uint8Array(layout.chunkSize * UPDATE_COORDINATE_BYTES);
  }

  /** The bytes from `offset` on; offset 0 begins anew, since another source is asked. */
  take(offset: number, bytes: Uint8Array): void {
    if (offset === 0) {
      this.committer = new UpdateCommitter(this.layout, this.hasher);
      this.received = 0;
    }
    const start = this.received;
    this.received += bytes.length;
    if (this.received > updatePayloadLength(this.layout)) return; // no update; the fetch says so
    const size = this.chunk.length;
    let rest = bytes;
    if (start % size !== 0) {
      const missing = rest.subarray(0, size - (start % size));
      this.chunk.set(missing, start % size);
      rest = rest.subarray(missing.length);
      if ((start + missing.length) % size !== 0) return;
      this.committer.appendChunks(this.chunk);
    }
    const whole = rest.length - (rest.length % size);
    if (whole > 0) {
      this.committer.appendChunks(rest.subarray(0, whole));
      this.chunk.set(rest.subarray(whole - size, whole));
    }
    this.chunk.set(rest.subarray(whole));
  }

  /** Null unless all bytes of an update have come: nobody may have sent any, where the payload was here already. */
  facts(): UpdateFacts | null {
    if (this.received !== updatePayloadLength(this.layout)) return null;
    this.received = 0; // the committer can be asked once
    return { ...this.committer.finish(), zeroPadded: isZeroPadded(viewInt16(this.chunk), this.layout) };
  }
}

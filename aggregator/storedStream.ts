import type { WriteNext } from '../protocol/round/roundIo.ts';
import type { PayloadStore, StoredPayload } from '../storage/payloadStore.ts';

interface Piece {
  readonly bytes: Uint8Array;
  readonly rest: Promise<Piece | null>;
}

/**
 * A payload that is stored piece by piece, by whoever makes it: `PayloadStore.put` asks for pieces, this hands them
 * over. Holds one piece.
 */
export class StoredStream {
  /** Hands over a copy of the bytes; waits until the store has asked for more. Throws what storing throws. */
  readonly write: WriteNext;
  private readonly stored: Promise<StoredPayload>;
  private tail = Promise.withResolvers<Piece | null>();
  /** Only until the store has asked for it: whoever held it would hold every piece that comes after. */
  private head: Promise<Piece | null> | null = this.tail.promise;
  private wanted = Promise.withResolvers<void>();

  constructor(store: PayloadStore) {
    this.stored = store.put(this.pieces());
    this.stored.catch(() => undefined); // said by `write` or `finish`
    this.write = async (bytes) => {
      await Promise.race([this.wanted.promise, this.stored]);
      this.wanted = Promise.withResolvers();
      const { resolve } = this.tail;
      this.tail = Promise.withResolvers();
      resolve({ bytes: bytes.slice(), rest: this.tail.promise });
    };
  }

  /** @throws what storing throws */
  finish(): Promise<StoredPayload> {
    this.tail.resolve(null);
    return this.stored;
  }

  /** Leaves nothing of it behind. */
  async abort(): Promise<void> {
    this.tail.promise.catch(() => undefined); // the store may have stopped asking
    this.tail.reject(new Error('the payload was given up'));
    await this.stored.catch(() => undefined);
  }

  private async *pieces(): AsyncGenerator<Uint8Array> {
    let next = this.head;
    this.head = null;
    this.wanted.resolve();
    while (next !== null) {
      const piece: Piece | null = await next;
      next = piece?.rest ?? null;
      if (piece === null) return;
      yield piece.bytes;
      this.wanted.resolve();
    }
  }
}

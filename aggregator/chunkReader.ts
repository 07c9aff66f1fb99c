import { AssayError } from '../protocol/errors.ts';

/**
 * Cuts a stream of bytes into chunks of one length, however the stream is cut. Holds one piece and one chunk.
 */
export class ChunkReader {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private readonly chunkBytes: number;
  private piece: Uint8Array = new Uint8Array(0);
  private offset = 0;

  constructor(pieces: AsyncIterable<Uint8Array>, chunkBytes: number) {
    this.pieces = pieces[Symbol.asyncIterator]();
    this.chunkBytes = chunkBytes;
  }

  /**
   * The next chunk, a copy at an aligned address.
   * @throws AssayError `PAYLOAD_LENGTH` when the stream ends within it.
   */
  async next(): Promise<Uint8Array> {
    const chunk = new Uint8Array(this.chunkBytes);
    let filled = 0;
    while (filled < this.chunkBytes) {
      if (this.offset === this.piece.length) {
        const { value, done } = await this.pieces.next();
        if (done === true) {
          throw new AssayError('PAYLOAD_LENGTH', {
            summary: 'a payload ends in the middle of a chunk',
            expected: `${this.chunkBytes} bytes`,
            received: `${filled} bytes`,
          });
        }
        this.piece = value;
        this.offset = 0;
        continue;
      }
      const part = this.piece.subarray(this.offset, this.offset + this.chunkBytes - filled);
      chunk.set(part, filled);
      filled += part.length;
      this.offset += part.length;
    }
    return chunk;
  }

  /** Lets the stream free what it holds. */
  async close(): Promise<void> {
    await this.pieces.return?.();
  }
}

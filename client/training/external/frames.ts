import { AssayError } from '../../../protocol/errors.ts';

/**
 * What goes through the pipes of a persistent trainer (docs/spec/trainer.md): frame after frame, each
 *
 *     u32 little-endian   length of the header
 *     header              JSON in UTF-8; `attachments`: [{ "name": "model", "bytes": 1234 }, ...]
 *     attachments         their bytes, in that order, nothing in between
 */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly attachments: ReadonlyMap<string, Uint8Array>;
}

/** A header holds a manifest at most, and a manifest a tokeniser at most. */
const MAX_HEADER_BYTES = 2 ** 24;

/** The parts of a frame, to be written one after the other: attachments are not copied. */
export function encodeFrame(
  header: Readonly<Record<string, unknown>>,
  attachments: ReadonlyMap<string, Uint8Array> = new Map(),
): Uint8Array[] {
  const list = [...attachments].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  const text = new TextEncoder().encode(JSON.stringify({ ...header, attachments: list }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, text.length, true);
  return [length, text, ...attachments.values()];
}

interface OpenFrame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly sizes: readonly { readonly name: string; readonly bytes: number }[];
  readonly total: number;
}

/** How many bytes an attachment of that name may have at most; undefined: there is none of that name. */
export type AttachmentLimit = (name: string) => number | undefined;

/**
 * Cuts a stream of bytes into frames. The bytes come from outside: sizes are judged before anything is kept for them.
 *
 * @throws AssayError TRAINER_PROTOCOL from `push`
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  readonly #limit: AttachmentLimit;
  #chunks: Uint8Array[] = [];
  #held = 0;
  /** Set once a frame's header is known and its attachments are not all there. */
  #open: OpenFrame | undefined;

  constructor(onFrame: (frame: Frame) => void, limit: AttachmentLimit) {
    this.#onFrame = onFrame;
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    for (;;) {
      if (this.#open === undefined) {
        if (this.#held < 4) return;
        const head = this.#peek(4);
        const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
        if (length < 2 || length > MAX_HEADER_BYTES) {
          throw broken(
            `a frame whose header has 2 to ${MAX_HEADER_BYTES} bytes`,
            `bytes that begin ${printable(head)}`,
          );
        }
        if (this.#held < 4 + length) return;
        this.#open = this.#openFrame(this.#take(4 + length).subarray(4));
      }
      if (this.#held < this.#open.total) return;
      const { header, sizes } = this.#open;
      this.#open = undefined;
      this.#onFrame({ header, attachments: new Map(sizes.map(({ name, bytes }) => [name, this.#take(bytes)])) });
    }
  }

  #openFrame(bytes: Uint8Array): OpenFrame {
    let header: unknown;
    try {
      header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      throw broken('a header of JSON in UTF-8', printable(bytes.subarray(0, 80)));
    }
    if (typeof header !== 'object' || header === null || Array.isArray(header)) {
      throw broken('a JSON object as header', printable(bytes.subarray(0, 80)));
    }
    const { attachments = [], ...rest } = header as Record<string, unknown>;
    if (!Array.isArray(attachments)) throw broken('a list of attachments', JSON.stringify(attachments).slice(0, 80));
    const seen = new Set<string>();
    const sizes = attachments.map((entry: unknown) => {
      const { name, bytes: size } = (entry ?? {}) as Record<string, unknown>;
      const limit = typeof name === 'string' && !seen.has(name) ? this.#limit(name) : undefined;
      if (limit === undefined || !Number.isSafeInteger(size) || (size as number) < 0 || (size as number) > limit) {
        throw broken(
          limit === undefined
            ? 'attachments with known names, each once'
            : `attachment ${name} of at most ${limit} bytes`,
          JSON.stringify(entry ?? null).slice(0, 120),
        );
      }
      seen.add(name as string);
      return { name: name as string, bytes: size as number };
    });
    return { header: rest, sizes, total: sizes.reduce((sum, { bytes: size }) => sum + size, 0) };
  }

  /** The next `length` bytes, which must be there, without taking them. */
  #peek(length: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= length) return first.subarray(0, length);
    const whole = this.#join();
    return whole.subarray(0, length);
  }

  #take(length: number): Uint8Array {
    const whole = this.#join();
    this.#chunks = [whole.subarray(length)];
    this.#held -= length;
    // A copy: what is handed out must not keep the rest alive, and a float view needs its own alignment.
    return whole.slice(0, length);
  }

  #join(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0]!;
    const whole = new Uint8Array(this.#held);
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    this.#chunks = [whole];
    return whole;
  }
}

/** Bytes as text for a message: whoever printed to the pipe of the frames sees the own words again. */
function printable(bytes: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(bytes).replace(/[^\x20-\x7e]/g, '.');
  return JSON.stringify(text);
}

function broken(expected: string, received: string): AssayError {
  return new AssayError('TRAINER_PROTOCOL', {
    summary: 'what came through the pipe is not a frame of trainer/1',
    expected,
    received,
    fix: 'print to standard error: standard output belongs to the frames',
  });
}

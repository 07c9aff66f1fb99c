/**
 * CAR (content-addressable archive), version 1: a header that names roots, then blocks, each with its CID.
 *
 *     varint length | dag-cbor {"roots": [CID...], "version": 1}
 *     ( varint length | 36 bytes CID | block )*
 *
 * A narrow reader of our own: it knows the one header spelling that dag-cbor allows and the CIDs Assay uses, and it
 * bounds every length before it reserves memory, because peers write these bytes. It checks framing only; whether a
 * block is what its CID says is checked by `walkFile`, once.
 *
 * Source: https://ipld.io/specs/transport/car/carv1/
 */
import { CID_BYTES, cidFromBytes, cidToBytes } from '../protocol/encoding/cid.ts';
import { LEAF_BYTES } from '../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../protocol/errors.ts';

const MAX_HEADER_BYTES = 1 << 20;
const MAX_SECTION_BYTES = CID_BYTES + LEAF_BYTES;
const ROOTS_KEY = Buffer.from('\u00a2\u0065roots', 'latin1');
const VERSION_ENTRY = Buffer.from('\u0067version\u0001', 'latin1');
/** A CID in dag-cbor: tag 42, a byte string of 37 bytes that starts with 0x00. */
const CID_PREFIX = Buffer.from([0xd8, 0x2a, 0x58, 0x25, 0x00]);

/** A block as it stands in the archive: NOT verified. */
export interface CarSection {
  readonly cid: string;
  readonly bytes: Uint8Array;
}

/** The header of an archive with these roots. */
export function encodeCarHeader(roots: readonly string[]): Uint8Array {
  const count = roots.length;
  const arrayHead = count < 24 ? [0x80 | count] : count < 256 ? [0x98, count] : [0x99, count >> 8, count & 0xff];
  const body = Buffer.concat([
    ROOTS_KEY,
    Buffer.from(arrayHead),
    ...roots.flatMap((root) => [CID_PREFIX, cidToBytes(root)]),
    VERSION_ENTRY,
  ]);
  if (count > 0xffff || body.length > MAX_HEADER_BYTES) {
    throw new AssayError('CAR_ROOTS', {
      summary: 'too many roots for one archive',
      expected: `fewer than ${Math.floor(MAX_HEADER_BYTES / 41)}`,
      received: String(count),
    });
  }
  return Buffer.concat([encodeVarint(body.length), body]);
}

/** What stands before a block of `blockBytes` bytes; the block itself follows unchanged. */
export function encodeSectionHead(cid: string, blockBytes: number): Uint8Array {
  return Buffer.concat([encodeVarint(CID_BYTES + blockBytes), cidToBytes(cid)]);
}

/** Where an archive's bytes come from, piece by piece; undefined at the end. */
export type NextBytes = () => Promise<Uint8Array | undefined>;

/**
 * Reads an archive from a stream.
 *
 * @param holder who wrote it, for messages.
 * @throws AssayError `CAR_INVALID` for anything that is no CAR v1 of Assay's kind, `CAR_TRUNCATED` when it ends early.
 */
export class CarReader {
  readonly #next: NextBytes;
  readonly #holder: string;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(next: NextBytes, holder: string) {
    this.#next = next;
    this.#holder = holder;
  }

  /** The roots. Call once, first. */
  async header(): Promise<string[]> {
    const length = await this.#varint();
    if (length === undefined) throw this.#invalid('a CAR header', 'nothing at all');
    if (length > MAX_HEADER_BYTES) throw this.#invalid(`a header of at most ${MAX_HEADER_BYTES} bytes`, `${length}`);
    return parseHeader(await this.#take(length), (received) => this.#invalid('a CAR version 1 header', received));
  }

  /** The next block with its CID, or undefined at the end. */
  async section(): Promise<CarSection | undefined> {
    const length = await this.#varint();
    if (length === undefined) return undefined;
    if (length < CID_BYTES || length > MAX_SECTION_BYTES) {
      throw this.#invalid(`a block of at most ${LEAF_BYTES} bytes after a CID of ${CID_BYTES}`, `${length} bytes`);
    }
    const cidBytes = await this.#take(CID_BYTES);
    let cid: string;
    try {
      cid = cidFromBytes(cidBytes);
    } catch (cause) {
      throw this.#invalid('a sha2-256 CIDv1', `0x${Buffer.from(cidBytes).toString('hex')}`, cause);
    }
    return { cid, bytes: await this.#take(length - CID_BYTES) };
  }

  async #varint(): Promise<number | undefined> {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#buffer.length === 0 && !(await this.#refill())) {
        if (shift === 0) return undefined;
        throw this.#truncated('the rest of a length');
      }
      const byte = this.#buffer[0] as number;
      this.#buffer = this.#buffer.subarray(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw this.#invalid('a length below 2^28', 'a longer one');
  }

  /** Exactly `length` bytes, in memory of their own when they span pieces. */
  async #take(length: number): Promise<Uint8Array> {
    if (this.#buffer.length >= length) {
      const taken = this.#buffer.subarray(0, length);
      this.#buffer = this.#buffer.subarray(length);
      return taken;
    }
    const taken = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#buffer.length === 0 && !(await this.#refill())) throw this.#truncated(`${length - filled} more bytes`);
      const part = this.#buffer.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#buffer = this.#buffer.subarray(part.length);
    }
    return taken;
  }

  async #refill(): Promise<boolean> {
    for (;;) {
      const piece = await this.#next();
      if (piece === undefined) return false;
      if (piece.length === 0) continue;
      this.#buffer = piece;
      return true;
    }
  }

  #invalid(expected: string, received: string, cause?: unknown): AssayError {
    return new AssayError('CAR_INVALID', {
      summary: `${this.#holder} sent something that is not a CAR archive of Assay's kind`,
      expected,
      received,
      fix: 'check that the address is an IPFS gateway (or the file a CAR), or ask another source',
      cause,
    });
  }

  #truncated(missing: string): AssayError {
    return new AssayError('CAR_TRUNCATED', {
      summary: `the CAR archive from ${this.#holder} ends too early`,
      expected: missing,
      received: 'the end',
      fix: 'try again, or ask another source: the connection broke or the file was cut',
    });
  }
}

function parseHeader(bytes: Uint8Array, invalid: (received: string) => AssayError): string[] {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const shown = `0x${header.subarray(0, 32).toString('hex')}`;
  let offset = ROOTS_KEY.length;
  if (!header.subarray(0, offset).equals(ROOTS_KEY)) throw invalid(shown);
  const head = header[offset++] ?? 0;
  let count = head & 0x1f;
  if (head >= 0x80 && head < 0x98) {
    // the count is in the head itself
  } else if (head === 0x98) count = header[offset++] ?? 0;
  else if (head === 0x99 && offset + 2 <= header.length) {
    count = header.readUInt16BE(offset);
    offset += 2;
  } else throw invalid(shown);
  const entry = CID_PREFIX.length + CID_BYTES;
  if (header.length !== offset + count * entry + VERSION_ENTRY.length) throw invalid(shown);
  const roots: string[] = [];
  for (; roots.length < count; offset += entry) {
    if (!header.subarray(offset, offset + CID_PREFIX.length).equals(CID_PREFIX)) throw invalid(shown);
    roots.push(cidFromBytes(header.subarray(offset + CID_PREFIX.length, offset + entry)));
  }
  if (!header.subarray(offset).equals(VERSION_ENTRY)) throw invalid('another version');
  return roots;
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** A `NextBytes` over an async iterable, and the means to end it early. */
export function nextBytesOf(source: AsyncIterable<Uint8Array>): { next: NextBytes; close: () => Promise<void> } {
  const iterator = source[Symbol.asyncIterator]();
  return {
    next: async () => {
      const result = await iterator.next();
      return result.done === true ? undefined : result.value;
    },
    close: async () => {
      await iterator.return?.();
    },
  };
}

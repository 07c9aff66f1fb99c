/**
 * Fetching a payload: the sources are tried in order until one gives bytes that are the payload's. Because the CID
 * decides what is right, it does not matter which source that is, and a failure of one is a note, not an end.
 */
import { AssayError } from '../protocol/errors.ts';
import type { PayloadStore, StoredPayload } from './payloadStore.ts';
import type { PayloadSource } from './sources/payloadSource.ts';
import type { StoreSource } from './sources/storeSource.ts';

/** What came of asking one source. */
export interface FetchAttempt {
  readonly source: string;
  readonly cid: string;
  /** Undefined when the source gave the payload. */
  readonly error?: AssayError;
}

export interface FetchPayloadOptions {
  /** Where the payload is kept. */
  readonly store: PayloadStore;
  /** The largest payload to accept, in bytes. Default the store's limit, or `expectedBytes`. */
  readonly maxBytes?: number;
  /** The exact length the payload must have, when the protocol knows it. */
  readonly expectedBytes?: number;
  /** Told about each source that was asked, as it ends. */
  readonly onAttempt?: (attempt: FetchAttempt) => void;
  /**
   * Told the bytes as they come, in order and from offset 0 anew with each source. They are the payload's when the fetch
   * succeeds, and not to be believed before.
   */
  readonly onBytes?: (offset: number, bytes: Uint8Array) => void;
  readonly signal?: AbortSignal;
  /** Keep it through garbage collections. Default true. */
  readonly pin?: boolean;
}

/**
 * What a CID itself disproves: whoever named it published no payload of the right kind or length, and no source can
 * mend that. (`PAYLOAD_UNAVAILABLE` on the other hand may be over in a moment.)
 */
export const PROVABLY_INVALID: ReadonlySet<string> = new Set(['PAYLOAD_LENGTH', 'PAYLOAD_TOO_LARGE', 'UNIXFS_NODE']);

/**
 * Brings payload `cid` into the store, verified.
 *
 * @throws AssayError `PAYLOAD_UNAVAILABLE` listing every attempt when no source has it; at once, because no source
 * could do better: `PAYLOAD_LENGTH` or `PAYLOAD_TOO_LARGE` when the CID names a payload of another size, `UNIXFS_NODE`
 * when it names no payload of the profile, `CID_INVALID` for a malformed CID, and `DISK_FULL`, `FILE_WRITE` or
 * `STORE_FULL` when this machine cannot keep it.
 * @example
 * const sources = [storeSource(store), peerSource('http://127.0.0.1:4100')];
 * await fetchPayload(cid, sources, { store, expectedBytes: 102_400 });
 * const bytes = await store.readAll(cid);
 */
export async function fetchPayload(
  cid: string,
  sources: readonly PayloadSource[],
  options: FetchPayloadOptions,
): Promise<StoredPayload & { readonly source: string }> {
  const { store, expectedBytes, onAttempt, onBytes, signal, pin = true } = options;
  const maxBytes = options.maxBytes ?? expectedBytes ?? store.maxPayloadBytes;
  const failures: FetchAttempt[] = [];
  for (const source of sources) {
    signal?.throwIfAborted();
    try {
      const stored = await fetchFrom(source, cid, {
        store,
        maxBytes: Math.min(maxBytes, expectedBytes ?? maxBytes),
        pin,
        onBytes,
        signal,
      });
      if (expectedBytes !== undefined && stored.bytes !== expectedBytes)
        throw wrongLength(cid, expectedBytes, stored.bytes);
      onAttempt?.({ source: source.name, cid });
      return { ...stored, source: source.name };
    } catch (cause) {
      if (signal?.aborted === true) throw signal.reason;
      if (!(cause instanceof AssayError)) throw cause;
      const error = isTooLongForExact(cause, expectedBytes)
        ? wrongLength(cid, expectedBytes as number, undefined, cause)
        : cause;
      const attempt: FetchAttempt = { source: source.name, cid, error };
      onAttempt?.(attempt);
      if (PROVABLY_INVALID.has(error.code) || LOCAL_CODES.has(error.code)) throw error;
      failures.push(attempt);
    }
  }
  throw unavailable(cid, failures);
}

/** Troubles of this machine: the next source would meet them too. */
const LOCAL_CODES = new Set(['DISK_FULL', 'FILE_WRITE', 'STORE_FULL', 'CID_INVALID']);

async function fetchFrom(
  source: PayloadSource,
  cid: string,
  options: Pick<FetchPayloadOptions, 'store'> & { maxBytes: number; pin: boolean } & {
    readonly [Key in 'onBytes' | 'signal']: FetchPayloadOptions[Key] | undefined;
  },
): Promise<StoredPayload> {
  const { store, maxBytes, pin, onBytes, signal } = options;
  const fetched = source.fetch(cid, signal === undefined ? { maxBytes } : { maxBytes, signal });
  const stream = onBytes === undefined ? fetched : told(fetched, onBytes);
  if ((source as Partial<StoreSource>).store !== store) return store.put(stream, { expectedCid: cid, maxBytes, pin });
  // Already ours: read it through, so that damage on the disk sends us on to the next source, which repairs it.
  let bytes = 0;
  for await (const piece of stream) bytes += piece.length;
  if (pin) await store.pin(cid);
  return { cid, bytes };
}

async function* told(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (offset: number, bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for await (const piece of pieces) {
    onBytes(offset, piece);
    offset += piece.length;
    yield piece;
  }
}

function isTooLongForExact(error: AssayError, expectedBytes: number | undefined): boolean {
  return expectedBytes !== undefined && error.code === 'PAYLOAD_TOO_LARGE';
}

function wrongLength(cid: string, expected: number, received: number | undefined, cause?: AssayError): AssayError {
  return new AssayError('PAYLOAD_LENGTH', {
    summary: `the payload ${cid} has the wrong length`,
    expected: `${expected} bytes`,
    received: cause?.details.received ?? `${received} bytes`,
    fix: 'whoever published this CID published the wrong payload; no source can give another one',
    cause,
  });
}

function unavailable(cid: string, failures: readonly FetchAttempt[]): AssayError {
  const told = failures.map(({ source, error }) => {
    const [summary, ...rest] = (error?.message ?? '').split('\n');
    const received = rest
      .find((line) => line.includes('Received:'))
      ?.replace('Received:', '')
      .trim();
    return `\n    ${source}: ${error?.code}: ${summary}${received === undefined ? '' : ` (${received})`}`;
  });
  return new AssayError('PAYLOAD_UNAVAILABLE', {
    summary: `no source gave the payload ${cid}`,
    expected: failures.length === 0 ? 'at least one source to ask' : `one of ${failures.length} sources to have it`,
    received: failures.length === 0 ? 'an empty list' : told.join(''),
    fix: 'check that the node that stored it is running, or name another peer, a Kubo daemon or a public gateway',
  });
}

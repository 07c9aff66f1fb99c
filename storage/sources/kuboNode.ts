/**
 * A Kubo daemon (the reference IPFS node) through its RPC API, for federations that run one: payloads come out of it as
 * verified CARs, go into it with the same CID, and are pinned there. What the daemon does on the IPFS network
 * (announce, exchange) is its own configuration.
 *
 * Source: https://docs.ipfs.tech/reference/kubo/rpc/
 */
import type { KuboRPCClient } from 'kubo-rpc-client';
import { CID } from 'multiformats/cid';
import { AssayError } from '../../protocol/errors.ts';
import { encodeCarHeader, encodeSectionHead } from '../car.ts';
import type { PayloadStore } from '../payloadStore.ts';
import { payloadFromCar } from './carStream.ts';
import type { PayloadSource } from './payloadSource.ts';

export interface KuboOptions {
  /**
   * Nothing arriving for this long is an error: an online daemon searches the network for what it lacks. Default 30 s.
   */
  readonly idleMilliseconds?: number;
}

export interface KuboNode extends PayloadSource {
  /** Sends a payload of `store` into the daemon and pins it there. */
  importPayload(store: PayloadStore, cid: string): Promise<void>;
  pin(cid: string): Promise<void>;
  unpin(cid: string): Promise<void>;
  /** The CIDs pinned recursively, sorted. */
  pins(): Promise<string[]>;
  /** The daemon's version, e.g. `0.43.0`: a cheap question whether it is there. */
  version(): Promise<string>;
}

/**
 * @param rpc address of the RPC API, e.g. `http://127.0.0.1:5001`. Keep it on loopback: it controls the daemon.
 * @throws AssayError (from every method) `KUBO_RPC` when the daemon cannot be reached or refuses, `PEER_STALLED` when
 * it is silent.
 */
export async function connectKubo(rpc: string, options: KuboOptions = {}): Promise<KuboNode> {
  const { idleMilliseconds = 30_000 } = options;
  const name = `kubo ${rpc}`;
  // Loaded when asked for: nodes without a daemon do not pay for the client.
  const { create } = await import('kubo-rpc-client');
  const client = create({ url: rpc });

  /** Runs one call whose progress must not stop for longer than the idle limit; `alive` says that something moved. */
  const call = async <T>(
    work: (signal: AbortSignal, alive: () => void) => Promise<T>,
    outer?: AbortSignal,
  ): Promise<T> => {
    const idle = new AbortController();
    const timer = setTimeout(() => idle.abort(), idleMilliseconds);
    const signal = outer === undefined ? idle.signal : AbortSignal.any([idle.signal, outer]);
    try {
      // The client does not always settle when its signal fires, so the signal settles the call by itself.
      return await Promise.race([work(signal, () => timer.refresh()), rejectOnAbort(signal)]);
    } catch (cause) {
      if (outer?.aborted === true) throw outer.reason;
      throw rpcError(name, rpc, idle.signal.aborted ? `nothing for ${idleMilliseconds} ms` : undefined, cause);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    name,
    async *fetch(cid, { maxBytes, signal }) {
      yield* payloadFromCar(cid, exportCar(client, cid, call, signal), {
        holder: name,
        maxBytes,
        fetchBlock: (block) => call((inner) => client.block.get(CID.parse(block), { signal: inner }), signal),
      });
    },
    importPayload: (store, cid) =>
      call(async (signal, alive) => {
        for await (const { root } of client.dag.import(carOf(store, cid, alive), { pinRoots: true, signal })) {
          alive();
          if (root.pinErrorMsg !== undefined && root.pinErrorMsg !== '') throw new Error(root.pinErrorMsg);
        }
      }),
    pin: (cid) => call(async (signal) => void (await client.pin.add(CID.parse(cid), { signal }))),
    unpin: (cid) => call(async (signal) => void (await client.pin.rm(CID.parse(cid), { signal }))),
    pins: () =>
      call(async (signal, alive) => {
        const pins: string[] = [];
        for await (const { cid } of client.pin.ls({ type: 'recursive', signal })) {
          alive();
          pins.push(cid.toString());
        }
        return pins.sort();
      }),
    version: () => call(async (signal) => (await client.version({ signal })).version),
  };
}

type Call = <T>(work: (signal: AbortSignal, alive: () => void) => Promise<T>, outer?: AbortSignal) => Promise<T>;

/** `dag/export` ignores a time-out, so every single wait is limited; what the consumer takes does not count. */
async function* exportCar(
  client: KuboRPCClient,
  cid: string,
  call: Call,
  outer: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const stop = new AbortController();
  const stream = client.dag.export(CID.parse(cid), { signal: stop.signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await call(() => stream.next(), outer);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    stop.abort();
  }
}

/** The payload as one CAR, verified by the store as it is read. */
async function* carOf(store: PayloadStore, cid: string, alive: () => void): AsyncGenerator<Uint8Array> {
  yield encodeCarHeader([cid]);
  for await (const block of store.blocks(cid)) {
    alive();
    yield encodeSectionHead(block.cid, block.bytes.length);
    yield block.bytes;
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function rpcError(name: string, rpc: string, silence: string | undefined, cause: unknown): AssayError {
  if (cause instanceof AssayError) return cause;
  if (silence !== undefined) {
    return new AssayError('PEER_STALLED', {
      summary: `${name} stalled`,
      expected: 'an answer',
      received: silence,
      fix: 'the daemon may be searching the network for a payload it does not hold: ask another source, or try again later',
      cause,
    });
  }
  return new AssayError('KUBO_RPC', {
    summary: `${name} did not do what it was asked`,
    expected: `a Kubo daemon whose RPC API answers at ${rpc}`,
    received: describe(cause),
    fix: 'start it with `ipfs daemon`, and check Addresses.API in its configuration',
    cause,
  });
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? ` (${cause.cause.message})` : '';
  return `${cause.message || cause.name}${inner}`;
}

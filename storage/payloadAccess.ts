/**
 * How a node reaches payloads: its own store, and a way to bring a CID into it from somewhere. Roles are handed one of
 * these; where the bytes come from is composed in `scripts/`.
 */
import type { Hex } from '../protocol/encoding/bytes.ts';
import { type FetchAttempt, fetchPayload } from './fetchPayload.ts';
import type { PayloadStore } from './payloadStore.ts';
import type { PayloadSource } from './sources/payloadSource.ts';

export interface FetchWish {
  /** The exact length, when the protocol knows it. */
  readonly expectedBytes?: number;
  /** The largest length to accept, when it does not. */
  readonly maxBytes?: number;
  /** The account that stored it: asked first. */
  readonly owner?: Hex;
  /**
   * As in `FetchPayloadOptions`. Not told when somebody else's fetch of the same payload is under way already.
   */
  readonly onBytes?: (offset: number, bytes: Uint8Array) => void;
  readonly signal?: AbortSignal;
}

export interface PayloadAccess {
  readonly store: PayloadStore;
  /** Makes sure that the payload is in the store, verified. @throws AssayError as `fetchPayload` does */
  fetch(cid: string, wish: FetchWish): Promise<void>;
  /** Hands a stored payload to whatever keeps it available besides this node's own gateway. */
  share(cid: string): Promise<void>;
}

export interface PayloadAccessOptions {
  readonly store: PayloadStore;
  /** Where to look, the likeliest first; asked anew for each fetch, since peers come and go. */
  readonly sources: (owner: Hex | undefined) => Promise<readonly PayloadSource[]>;
  /** Told what came of asking each source. */
  readonly onAttempt?: (attempt: FetchAttempt) => void;
  /** A Kubo daemon of the operator's, say. Default: nothing but the gateway. */
  readonly share?: (cid: string) => Promise<void>;
}

/** Two fetches of one CID under way at once are one. */
export function payloadAccess({ store, sources, onAttempt, share }: PayloadAccessOptions): PayloadAccess {
  const underWay = new Map<string, Promise<void>>();
  const bring = async (cid: string, { owner, ...wish }: FetchWish): Promise<void> => {
    const list = await sources(owner);
    await fetchPayload(cid, list, { store, ...wish, ...(onAttempt === undefined ? {} : { onAttempt }) });
  };
  return {
    store,
    fetch(cid, wish) {
      const running = underWay.get(cid) ?? bring(cid, wish).finally(() => underWay.delete(cid));
      underWay.set(cid, running);
      return running;
    },
    share: share ?? (async () => undefined),
  };
}

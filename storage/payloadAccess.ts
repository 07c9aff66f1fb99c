/**
 * How a node reaches payloads: its own store, and a way to bring a CID into it from somewhere. Roles are handed one of
 * these; where the bytes come from is composed in `scripts/`.
 */
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { PayloadStore } from './payloadStore.ts';
import { type FetchAttempt, fetchPayload } from './sourceList.ts';
import type { PayloadSource } from './sources/payloadSource.ts';

export interface FetchWish {
  /** The exact length, when the protocol knows it. */
  readonly expectedBytes?: number;
  /** The largest length to accept, when it does not. */
  readonly maxBytes?: number;
  /** The account that stored it: asked first. */
  readonly owner?: Hex;
  readonly signal?: AbortSignal;
}

export interface PayloadAccess {
  readonly store: PayloadStore;
  /** Makes sure that the payload is in the store, verified. @throws AssayError as `fetchPayload` does */
  fetch(cid: string, wish: FetchWish): Promise<void>;
}

/**
 * What a CID itself disproves: whoever named it published no payload of the right kind or length, and no source can mend
 * that. (`PAYLOAD_UNAVAILABLE` on the other hand may be over in a moment.)
 */
export const PROVABLY_INVALID: ReadonlySet<string> = new Set(['PAYLOAD_LENGTH', 'PAYLOAD_TOO_LARGE', 'UNIXFS_NODE']);

/** `sources` names where to look, the likeliest first; asked anew for each fetch, since peers come and go. */
export function payloadAccess(
  store: PayloadStore,
  sources: (owner: Hex | undefined) => Promise<readonly PayloadSource[]>,
  onAttempt?: (attempt: FetchAttempt) => void,
): PayloadAccess {
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
  };
}

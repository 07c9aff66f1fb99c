import type { PayloadStore } from '../payloadStore.ts';
import type { PayloadSource } from './payloadSource.ts';

/** A payload store of this machine as a source: the first of every list. */
export interface StoreSource extends PayloadSource {
  readonly store: PayloadStore;
}

export function storeSource(store: PayloadStore): StoreSource {
  return {
    name: `own store ${store.folder}`,
    store,
    async *fetch(cid, { maxBytes, signal }) {
      for await (const piece of store.read(cid, { maxBytes })) {
        signal?.throwIfAborted();
        yield piece;
      }
    },
  };
}

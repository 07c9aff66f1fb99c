/** How a role reaches payloads: its own store, and a way to bring a CID into it from somewhere. `scripts/` composes it. */
import type { PayloadStore } from '../../storage/payloadStore.ts';

export interface PayloadAccess {
  readonly store: PayloadStore;
  /**
   * Makes sure that the payload is in the store, verified.
   * @throws AssayError listing every source that was tried.
   */
  fetch(cid: string, expectedBytes: number): Promise<void>;
}

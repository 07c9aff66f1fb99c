/**
 * Payloads that are not stored under the CID that was revealed, but were put together from answers on the chain: by the
 * root that they open. Kept in the state folder, since such a payload answers later challenges like any other.
 */
import { z } from 'zod';
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { StateFolder } from '../storage/stateFolder.ts';

const FILE = 'patched-payloads.json';
const schema = z.record(z.string(), z.string());

export class PatchedPayloads {
  private readonly state: StateFolder;
  private readonly byRoot: Map<string, string>;

  private constructor(state: StateFolder, byRoot: Map<string, string>) {
    this.state = state;
    this.byRoot = byRoot;
  }

  static async open(state: StateFolder): Promise<PatchedPayloads> {
    return new PatchedPayloads(state, new Map(Object.entries((await state.readJson(FILE, schema)) ?? {})));
  }

  /** The CID in this node's store of the payload with that root, where it is not the revealed one. */
  get(root: Hex): string | undefined {
    return this.byRoot.get(root);
  }

  async set(root: Hex, cid: string): Promise<void> {
    this.byRoot.set(root, cid);
    await this.state.writeJson(FILE, schema, Object.fromEntries(this.byRoot));
  }
}

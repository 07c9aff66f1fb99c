/**
 * The answer to an availability challenge from a payload at hand: the chunk and its path, packed, or null when the
 * payload is not what was committed to, so that nobody pays for an answer that the contract refuses. One pass over the
 * payload. Spec: docs/spec/disputes.md, "Availability".
 */
import { gramPath, openGramAnswer, openModelAnswer, openUpdateAnswer, packGramPath } from '../commitment/openings.ts';
import { concatBytes, type Hex } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { openModelChunk, openUpdateChunk } from './badCoordinate.ts';
import { gramTree, type ReadChunk } from './trees.ts';

/** What a challenge asks to be opened. */
export interface WantedOpening {
  readonly kind: 'update' | 'model' | 'state' | 'gram';
  /** Index of the chunk; for `gram` of the span. */
  readonly chunk: number;
  readonly root: Hex;
  /** For an update. */
  readonly normSq: bigint;
  /** n, for `gram`. */
  readonly rows: number;
}

/** `read` gives the payload's pieces: 2K bytes, 4K bytes, or one span's matrix. `layout` is the tree's: `treeLayout`. */
export async function buildAnswer(
  read: ReadChunk,
  layout: VectorLayout,
  { kind, chunk, root, normSq, rows }: WantedOpening,
): Promise<Uint8Array | null> {
  switch (kind) {
    case 'update': {
      const opening = await openUpdateChunk(read, layout, chunk);
      return openUpdateAnswer({ root, normSq }, layout, chunk, opening) === null ? null : opening;
    }
    case 'gram': {
      const tree = await gramTree(read, rows, layout);
      const opening = concatBytes(await read(chunk), packGramPath(gramPath(tree, 0, chunk)));
      return openGramAnswer(root, rows, layout, chunk, opening) === null ? null : opening;
    }
    default: {
      const opening = await openModelChunk(read, layout, chunk);
      return openModelAnswer(root, layout, chunk, opening) === null ? null : opening;
    }
  }
}

/**
 * The one place where payload bytes are trusted: walk a file's blocks from its CID, depth first, and let nothing
 * through whose SHA-256 is not the one the parent (or the CID) names. Where the blocks come from (a disk, a peer, a
 * bundle) is somebody else's matter and never believed. At most one leaf and one path of nodes are held at a time.
 */
import { sha256 } from '#sha256';
import { parseCid } from '../protocol/encoding/cid.ts';
import { decodeFileNode, type FilePlace, LEAF_BYTES, MAX_NODE_BYTES } from '../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../protocol/errors.ts';

/** A block the walk needs next. */
export interface WantedBlock {
  readonly cid: string;
  readonly kind: 'node' | 'leaf';
  /** Where in the file the block's bytes begin. */
  readonly fileOffset: number;
  /** How many bytes of the file the block leads to; undefined for the root, whose size nobody has promised yet. */
  readonly fileBytes: number | undefined;
}

/** A block that was verified. For a leaf, `bytes` are the file's bytes from `fileOffset`. */
export interface VerifiedBlock {
  readonly cid: string;
  readonly kind: 'node' | 'leaf';
  readonly fileOffset: number;
  readonly bytes: Uint8Array;
}

export interface WalkOptions {
  /** Who is asked, for messages: `peer http://127.0.0.1:4100`. */
  readonly holder: string;
  /** The largest file to accept, in bytes; checked on the root's claim, before anything else is fetched. */
  readonly maxBytes: number;
  /** Only the blocks that cover file bytes [from, to); default the whole file. */
  readonly from?: number;
  readonly to?: number;
  /** What to do about a block that does not match, told in the error. */
  readonly fix?: string;
}

/**
 * Yields every block of the file in depth-first order, verified.
 *
 * @param getBlock gives the bytes of a block; unverified.
 * @throws AssayError `BLOCK_MISMATCH` for bytes that are not the block's, `UNIXFS_NODE` when the CID names something
 * that is no file of the profile, `PAYLOAD_TOO_LARGE` above `maxBytes`.
 */
export async function* walkFile(
  root: string,
  getBlock: (wanted: WantedBlock) => Promise<Uint8Array>,
  options: WalkOptions,
): AsyncGenerator<VerifiedBlock> {
  const { from = 0, to = Number.POSITIVE_INFINITY } = options;

  async function* visit(cid: string, fileOffset: number, place: FilePlace | undefined): AsyncGenerator<VerifiedBlock> {
    const { codec, digest } = parseCid(cid);
    const kind = codec === 'raw' ? 'leaf' : 'node';
    const bytes = await getBlock({ cid, kind, fileOffset, fileBytes: place?.fileBytes });
    verifyBlock(cid, digest, bytes, kind, options);
    if (kind === 'leaf') {
      if (place === undefined) checkSize(root, bytes.length, options);
      else if (bytes.length !== place.fileBytes) throw wrongLeafLength(root, cid, place.fileBytes, bytes.length);
      yield { cid, kind, fileOffset, bytes };
      return;
    }
    const node = decodeFileNode(cid, bytes, place);
    if (place === undefined) checkSize(root, node.fileBytes, options);
    yield { cid, kind, fileOffset, bytes };
    let childOffset = fileOffset;
    for (const link of node.links) {
      if (childOffset < to && childOffset + link.fileBytes > from) {
        yield* visit(link.cid, childOffset, { ...link, height: node.height - 1 });
      }
      childOffset += link.fileBytes;
    }
  }

  yield* visit(root, 0, undefined);
}

/** The file's bytes of a walk, in order, without the nodes. */
export async function* leavesOf(blocks: AsyncIterable<VerifiedBlock>): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) if (block.kind === 'leaf') yield block.bytes;
}

function verifyBlock(
  cid: string,
  digest: Uint8Array,
  bytes: Uint8Array,
  kind: 'node' | 'leaf',
  { holder, fix }: WalkOptions,
): void {
  const most = kind === 'leaf' ? LEAF_BYTES : MAX_NODE_BYTES;
  const actual = bytes.length <= most ? sha256(bytes) : undefined;
  if (actual !== undefined && Buffer.compare(actual, digest) === 0) return;
  throw new AssayError('BLOCK_MISMATCH', {
    summary: `${holder} holds wrong bytes for block ${cid}`,
    expected: `at most ${most} bytes with SHA-256 ${Buffer.from(digest).toString('hex')}`,
    received: `${bytes.length} bytes${actual === undefined ? '' : ` with SHA-256 ${Buffer.from(actual).toString('hex')}`}`,
    fix: fix ?? 'ask another source; this one is damaged or lies',
  });
}

function checkSize(root: string, fileBytes: number, { maxBytes }: WalkOptions): void {
  if (fileBytes <= maxBytes) return;
  throw new AssayError('PAYLOAD_TOO_LARGE', {
    summary: `the payload ${root} is larger than what is accepted here`,
    expected: `at most ${maxBytes} bytes`,
    received: `${fileBytes} bytes`,
    fix: 'check that this is the right CID; if it is, raise the limit',
  });
}

function wrongLeafLength(root: string, cid: string, expected: number, received: number): AssayError {
  return new AssayError('UNIXFS_NODE', {
    summary: `the payload ${root} is not a file of the profile unixfs-v1-2025: its leaf ${cid} has the wrong length`,
    expected: `${expected} bytes, as its parent says`,
    received: `${received} bytes`,
    fix: 'ask whoever made the payload to store it again',
  });
}

/**
 * A file from its blocks, whoever holds them. Every block was compared with its CID before; the tree's shape is checked
 * by the protocol; the CID of the whole is computed once more at the end, from the leaves alone, by a path that never
 * sees the tree.
 */
import { parseCid } from '../../protocol/encoding/cid.ts';
import {
  blockCid,
  DAG_PB_CODEC,
  decodeFileNode,
  encodeFileNode,
  type FileLink,
  type FileNode,
  type FilePlace,
  NODE_LINKS,
} from '../../protocol/encoding/unixfsFile.ts';
import type { FileRange } from '../../protocol/round/roundIo.ts';
import type { Payload } from './payload.ts';
import type { PayloadRequest } from './payloadReader.ts';

/** The CID itself names something unusable: no other source can do better. */
export class UnusableContent extends Error {}

/** The source does not have what it should, or sent something else, which proves nothing about who named the CID. */
export class SourceFailure extends Error {}

/** A `SourceFailure` that cost time: silence, dripping, a broken connection. */
export class SourceStall extends SourceFailure {}

/** Where the bytes of a block lie in what holds all of them. */
export interface BlockPlace {
  readonly offset: number;
  readonly length: number;
}

/** Blocks that were compared with their CIDs, in any order: in a bundle, or as a gateway sent them. */
export interface Blocks {
  /** @throws SourceFailure when the block is not there. */
  find(cid: string): BlockPlace;
  /** Where all of them lie, in an open file; none where they do not. */
  readonly fileRange?: FileRange | null;
  read(offset: number, into: Uint8Array): void | Promise<void>;
  release(): Promise<void>;
}

/**
 * The file of that CID, which stays where its blocks are.
 * @throws UnusableContent or SourceFailure.
 */
export async function assembleFile(request: PayloadRequest, blocks: Blocks): Promise<Payload> {
  const { cid } = request;
  const root = blocks.find(cid);
  if (parseCid(cid).codec === 'raw') {
    checkLength(request, root.length);
    return new Pieces(blocks, [root], root.length, root.length);
  }
  const node = checkRootNode(request, await readBlock(blocks, root));
  const leaves: FileLink[] = [];
  const pieces: BlockPlace[] = [];
  const walk = async (links: readonly FileLink[], height: number): Promise<void> => {
    for (const link of links) {
      const place = blocks.find(link.cid);
      if (height > 1) {
        const child = nodeOf(link.cid, await readBlock(blocks, place), { ...link, height: height - 1 });
        await walk(child.links, height - 1);
      } else if (place.length !== link.fileBytes) {
        throw new UnusableContent(`a leaf has ${place.length} bytes where its parent promised ${link.fileBytes}`);
      } else {
        pieces.push(place);
        leaves.push({ ...link, blockBytes: place.length });
      }
    }
  };
  await walk(node.links, node.height);
  if (cidOfLeaves(leaves) !== cid) throw new UnusableContent('the CID is not that of its own bytes');
  return new Pieces(blocks, pieces, leaves[0]!.fileBytes, node.fileBytes);
}

/**
 * The root of a file of several blocks, once its hash is known to be right: what it says about the file's length is the
 * owner's word, whoever sent it.
 *
 * @throws UnusableContent
 */
export function checkRootNode(request: PayloadRequest, root: Uint8Array): FileNode {
  const node = nodeOf(request.cid, root);
  checkLength(request, node.fileBytes);
  return node;
}

/** Whoever named the file's CID made its nodes, too. */
function nodeOf(cid: string, block: Uint8Array, place?: FilePlace): FileNode {
  try {
    return decodeFileNode(cid, block, place);
  } catch (cause) {
    throw new UnusableContent(cause instanceof Error ? cause.message : String(cause));
  }
}

/** The bytes of one block. */
export async function readBlock(blocks: Pick<Blocks, 'read'>, { offset, length }: BlockPlace): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await blocks.read(offset, bytes);
  return bytes;
}

/** A file as places of equal size, but for the last. */
class Pieces implements Payload {
  readonly length: number;
  private readonly blocks: Blocks;
  private readonly pieces: readonly BlockPlace[];
  private readonly pieceBytes: number;

  constructor(blocks: Blocks, pieces: readonly BlockPlace[], pieceBytes: number, length: number) {
    this.blocks = blocks;
    this.pieces = pieces;
    this.pieceBytes = pieceBytes;
    this.length = length;
  }

  /** Leaves that came in their order lie side by side; nodes between them, or another order, part them. */
  get fileRange(): FileRange | null {
    const { blocks, pieces } = this;
    if (blocks.fileRange == null || pieces.length === 0) return null;
    const isWhole = pieces.every(
      ({ offset, length }, i) => offset + length === (pieces[i + 1]?.offset ?? offset + length),
    );
    const { descriptor, byteOffset } = blocks.fileRange;
    return isWhole ? { descriptor, byteOffset: byteOffset + pieces[0]!.offset } : null;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    const within = offset % this.pieceBytes;
    const piece = this.pieces[Math.floor(offset / this.pieceBytes)];
    if (piece === undefined || into.length === 0) return;
    if (within + into.length <= piece.length) return this.blocks.read(piece.offset + within, into);
    return this.readAcross(offset, into);
  }

  release(): Promise<void> {
    return this.blocks.release();
  }

  private async readAcross(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const left = this.pieceBytes - ((offset + done) % this.pieceBytes);
      const part = into.subarray(done, done + left);
      await this.read(offset + done, part);
      done += part.length;
    }
  }
}

/** Nodes above nodes until one is left, each full but the last of its level. */
function cidOfLeaves(leaves: readonly FileLink[]): string {
  let level = leaves;
  while (level.length > 1) {
    const above: FileLink[] = [];
    for (let i = 0; i < level.length; i += NODE_LINKS) {
      const links = level.slice(i, i + NODE_LINKS);
      const node = encodeFileNode(links);
      above.push({
        cid: blockCid(DAG_PB_CODEC, node),
        fileBytes: links.reduce((sum, link) => sum + link.fileBytes, 0),
        blockBytes: links.reduce((sum, link) => sum + link.blockBytes, node.length),
      });
    }
    level = above;
  }
  return level[0]!.cid;
}

function checkLength({ exactBytes, maxBytes }: PayloadRequest, length: number): void {
  if (exactBytes !== undefined && length !== exactBytes) {
    throw new UnusableContent(`the file has ${length} bytes, expected ${exactBytes}`);
  }
  if (length > maxBytes) throw new UnusableContent(`the file has ${length} bytes, more than the ${maxBytes} allowed`);
}

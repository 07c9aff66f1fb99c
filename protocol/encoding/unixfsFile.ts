/**
 * A payload as a content-addressed file: the UnixFS profile `unixfs-v1-2025` (IPIP-499), so that any IPFS software
 * computes the same name for the same bytes.
 *
 *     leaf   a raw block of at most 1 MiB; the last one may be shorter, an empty file is one empty leaf
 *     node   a dag-pb block of at most 1024 links, no inline data, UnixFS type `file` with the children's file sizes
 *     tree   balanced: every leaf at the same depth, every subtree full but the last one of a level
 *     name   CIDv1, sha2-256; the root is the leaf itself when the file fits in one
 *
 * The shape follows from the file's size alone. `decodeFileNode` accepts that shape, in the one encoding of
 * `encodeFileNode`, and nothing else: so one payload has one CID, a node cannot claim bytes it does not lead to, and a
 * small root cannot stand for an endless tree.
 *
 * Source: https://specs.ipfs.tech/unixfs/ and IPIP-499.
 */

import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import * as digests from 'multiformats/hashes/digest';
import { sha256 } from '#sha256';
import { AssayError } from '../errors.ts';

/** Bytes of a full leaf. */
export const LEAF_BYTES = 1_048_576;
/** Links of a full node. */
export const NODE_LINKS = 1024;
export const RAW_CODEC = 0x55;
export const DAG_PB_CODEC = 0x70;
const SHA2_256 = 0x12;
/** A full node is below 56 KiB (54 bytes a link); whoever sends a bigger one is refused before it is parsed. */
export const MAX_NODE_BYTES = 65_536;

/** One child of a node: its CID (text), how many file bytes it leads to, and how many block bytes. */
export interface FileLink {
  readonly cid: string;
  readonly fileBytes: number;
  /** dag-pb's Tsize: the child's own block and all below it. */
  readonly blockBytes: number;
}

/** A block of the tree's inner part, ready to be stored. */
export interface FileNodeBlock {
  readonly cid: string;
  readonly bytes: Uint8Array;
}

/** The CID (CIDv1, sha2-256, base32) of one block. */
export function blockCid(codec: typeof RAW_CODEC | typeof DAG_PB_CODEC, block: Uint8Array): string {
  return CID.createV1(codec, digests.create(SHA2_256, sha256(block))).toString();
}

/** Levels of nodes above the leaves of a file of `fileBytes`: 0 for one leaf, 1 up to 1 GiB, 2 up to 1 TiB. */
export function treeHeight(fileBytes: number): number {
  let height = 0;
  for (let capacity = LEAF_BYTES; capacity < fileBytes; capacity *= NODE_LINKS) height++;
  return height;
}

/**
 * Builds the tree of a payload that arrives in pieces of any size, holding at most one leaf and, per level, one node.
 *
 * @example
 * const builder = new UnixfsFileBuilder();
 * builder.write(new TextEncoder().encode('hello '));
 * builder.write(new TextEncoder().encode('world'));
 * builder.finish().cid; // 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
 */
export class UnixfsFileBuilder {
  readonly #onNode: (node: FileNodeBlock) => void;
  /** Links waiting for a parent, by level: `#levels[0]` are leaves. */
  readonly #levels: FileLink[][] = [[]];
  #leaf: Uint8Array | undefined;
  #leafBytes = 0;
  #fileBytes = 0;

  /** @param onNode called for every inner node, children before parents; leaves are the caller's own bytes. */
  constructor(onNode: (node: FileNodeBlock) => void = () => undefined) {
    this.#onNode = onNode;
  }

  write(bytes: Uint8Array): void {
    this.#fileBytes += bytes.length;
    for (let offset = 0; offset < bytes.length; ) {
      if (this.#leafBytes === 0 && bytes.length - offset >= LEAF_BYTES) {
        this.#addLeaf(bytes.subarray(offset, offset + LEAF_BYTES));
        offset += LEAF_BYTES;
        continue;
      }
      this.#leaf ??= new Uint8Array(LEAF_BYTES);
      const part = bytes.subarray(offset, offset + LEAF_BYTES - this.#leafBytes);
      this.#leaf.set(part, this.#leafBytes);
      this.#leafBytes += part.length;
      offset += part.length;
      if (this.#leafBytes === LEAF_BYTES) this.#flushLeaf();
    }
  }

  /** Closes the tree. @returns the file's CID and its size in bytes. */
  finish(): { readonly cid: string; readonly fileBytes: number } {
    if (this.#leafBytes > 0 || this.#fileBytes === 0) this.#flushLeaf();
    for (let level = 0; ; level++) {
      const links = this.#levels[level] as FileLink[];
      const root = links[0];
      if (level === this.#levels.length - 1 && links.length === 1 && root !== undefined) {
        return { cid: root.cid, fileBytes: this.#fileBytes };
      }
      if (links.length > 0) this.#closeNode(level);
    }
  }

  #flushLeaf(): void {
    this.#addLeaf((this.#leaf ?? new Uint8Array(0)).subarray(0, this.#leafBytes));
    this.#leafBytes = 0;
  }

  #addLeaf(leaf: Uint8Array): void {
    this.#addLink(0, { cid: blockCid(RAW_CODEC, leaf), fileBytes: leaf.length, blockBytes: leaf.length });
  }

  #addLink(level: number, link: FileLink): void {
    // A full node closes only when one more link comes: until then it may be the root.
    if (this.#levels[level]?.length === NODE_LINKS) this.#closeNode(level);
    const links = this.#levels[level];
    if (links === undefined) this.#levels.push([link]);
    else links.push(link);
  }

  #closeNode(level: number): void {
    const links = this.#levels[level] as FileLink[];
    const bytes = encodeFileNode(links);
    const cid = blockCid(DAG_PB_CODEC, bytes);
    this.#onNode({ cid, bytes });
    this.#levels[level] = [];
    this.#addLink(level + 1, {
      cid,
      fileBytes: links.reduce((sum, link) => sum + link.fileBytes, 0),
      blockBytes: links.reduce((sum, link) => sum + link.blockBytes, bytes.length),
    });
  }
}

/** The dag-pb block of a node over `links`. */
export function encodeFileNode(links: readonly FileLink[]): Uint8Array {
  const file = new UnixFS({ type: 'file', blockSizes: links.map((link) => BigInt(link.fileBytes)) });
  return dagPb.encode({
    Data: file.marshal(),
    Links: links.map((link) => ({ Name: '', Hash: CID.parse(link.cid), Tsize: link.blockBytes })),
  });
}

/** A node that was checked against its own claimed size: the children's sizes add up and have the profile's shape. */
export interface FileNode {
  readonly fileBytes: number;
  readonly height: number;
  readonly links: readonly FileLink[];
}

/** What a parent promised about a child: all that is known before its block is seen. */
export interface FilePlace {
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly height: number;
}

/**
 * Parses a node that came from outside; its hash must have been compared with its CID already.
 *
 * @param place what the parent promised; absent for the root, whose own claim then sets size and height.
 * @throws AssayError `UNIXFS_NODE` when the block is no node of the profile, naming the difference.
 */
export function decodeFileNode(cid: string, block: Uint8Array, place?: FilePlace): FileNode {
  const refuse = (expected: string, received: string, cause?: unknown): AssayError =>
    new AssayError('UNIXFS_NODE', {
      summary: `block ${cid} is not a node of a file made with the profile unixfs-v1-2025`,
      expected,
      received,
      fix: 'store the file again with Assay, or with `ipfs add` after `ipfs config profile apply unixfs-v1-2025`',
      cause,
    });
  if (block.length > MAX_NODE_BYTES) throw refuse(`at most ${MAX_NODE_BYTES} bytes`, `${block.length} bytes`);
  let node: dagPb.PBNode;
  let file: UnixFS;
  try {
    node = dagPb.decode(block);
    file = UnixFS.unmarshal(node.Data ?? new Uint8Array(0));
  } catch (cause) {
    throw refuse('a dag-pb block with UnixFS data', cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (file.type !== 'file') throw refuse('UnixFS type file', `UnixFS type ${file.type}`);
  if (file.data !== undefined && file.data.length > 0) throw refuse('no bytes inside a node', `${file.data.length}`);
  if (file.blockSizes.length !== node.Links.length) {
    throw refuse(`one size for each of the ${node.Links.length} links`, `${file.blockSizes.length} sizes`);
  }
  const sizes = file.blockSizes.map(Number);
  const fileBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (!Number.isSafeInteger(fileBytes)) throw refuse('a size below 2^53 bytes', `${fileBytes} bytes`);
  if (place !== undefined && place.fileBytes !== fileBytes) {
    throw refuse(`the ${place.fileBytes} bytes its parent promised`, `${fileBytes} bytes`);
  }
  const height = place?.height ?? treeHeight(fileBytes);
  const childCapacity = LEAF_BYTES * NODE_LINKS ** (height - 1);
  const count = Math.ceil(fileBytes / childCapacity);
  if (height === 0 || count !== sizes.length || count > NODE_LINKS) {
    throw refuse(`${height === 0 ? 'a raw leaf' : `${count} links`} for ${fileBytes} bytes`, `${sizes.length} links`);
  }
  const codec = height === 1 ? RAW_CODEC : DAG_PB_CODEC;
  const links = node.Links.map((link, index): FileLink => {
    const size = Math.min(childCapacity, fileBytes - index * childCapacity);
    if (sizes[index] !== size) throw refuse(`${size} bytes under link ${index}`, `${sizes[index]} bytes`);
    const { version, code, multihash } = link.Hash;
    if (version !== 1 || code !== codec || multihash.code !== SHA2_256 || multihash.digest.length !== 32) {
      throw refuse(`a sha2-256 CIDv1 of codec ${codec} at link ${index}`, link.Hash.toString());
    }
    const blockBytes = link.Tsize ?? 0;
    if (height === 1 && blockBytes !== size) throw refuse(`Tsize ${size} at link ${index}`, `${blockBytes}`);
    return { cid: link.Hash.toString(), fileBytes: size, blockBytes };
  });
  const blockBytes = links.reduce((sum, link) => sum + link.blockBytes, block.length);
  if (place !== undefined && place.blockBytes !== blockBytes) {
    throw refuse(`the Tsize ${place.blockBytes} its parent promised`, `${blockBytes}`);
  }
  const canonical = encodeFileNode(links);
  if (canonical.length !== block.length || canonical.some((byte, index) => byte !== block[index])) {
    throw refuse('the canonical encoding of its links', 'another one (names, field order, additional fields)');
  }
  return { fileBytes, height, links };
}

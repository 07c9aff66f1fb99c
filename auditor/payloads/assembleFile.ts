/**
 * A file from its blocks, whoever holds them. Every block was compared with its CID by `blockOf`; the tree's shape is
 * checked by the protocol; the CID of the whole is computed once more at the end, by a path that never sees the tree.
 */
import { parseCid, payloadCid } from '../../protocol/encoding/cid.ts';
import { decodeFileNode, type FileLink, type FileNode } from '../../protocol/encoding/unixfsFile.ts';
import type { PayloadRequest } from './payloadReader.ts';

/** The CID itself names something unusable: no other source can do better. */
export class UnusableContent extends Error {}

/** The source does not have what it should, or sent something else, which proves nothing about who named the CID. */
export class SourceFailure extends Error {}

/** A `SourceFailure` that cost time: silence, dripping, a broken connection. */
export class SourceStall extends SourceFailure {}

/**
 * @param blockOf bytes of a block, already compared with its CID.
 * @throws UnusableContent or SourceFailure.
 */
export async function assembleFile(
  request: PayloadRequest,
  blockOf: (cid: string) => Uint8Array | Promise<Uint8Array>,
): Promise<Uint8Array> {
  const root = await blockOf(request.cid);
  if (parseCid(request.cid).codec === 'raw') {
    checkLength(request, root.length);
    if (payloadCid(root) !== request.cid) throw new SourceFailure('sent bytes with another CID');
    return root;
  }
  const node = checkRootNode(request, root);
  const bytes = new Uint8Array(node.fileBytes);
  let offset = 0;
  const copy = async (links: readonly FileLink[], height: number): Promise<void> => {
    for (const link of links) {
      const block = await blockOf(link.cid);
      if (height > 1) {
        const child = decodeFileNode(link.cid, block, { ...link, height: height - 1 });
        await copy(child.links, height - 1);
      } else if (block.length !== link.fileBytes) {
        throw new UnusableContent(`a leaf has ${block.length} bytes where its parent promised ${link.fileBytes}`);
      } else {
        bytes.set(block, offset);
        offset += block.length;
      }
    }
  };
  await copy(node.links, node.height);
  if (payloadCid(bytes) !== request.cid) throw new UnusableContent('the CID is not that of its own bytes');
  return bytes;
}

/**
 * The root of a file of several blocks, once its hash is known to be right: what it says about the file's length is the
 * owner's word, whoever sent it.
 *
 * @throws UnusableContent
 */
export function checkRootNode(request: PayloadRequest, root: Uint8Array): FileNode {
  let node: FileNode;
  try {
    node = decodeFileNode(request.cid, root);
  } catch (cause) {
    throw new UnusableContent(cause instanceof Error ? cause.message : String(cause));
  }
  checkLength(request, node.fileBytes);
  return node;
}

function checkLength({ exactBytes, maxBytes }: PayloadRequest, length: number): void {
  if (exactBytes !== undefined && length !== exactBytes) {
    throw new UnusableContent(`the file has ${length} bytes, expected ${exactBytes}`);
  }
  if (length > maxBytes) throw new UnusableContent(`the file has ${length} bytes, more than the ${maxBytes} allowed`);
}

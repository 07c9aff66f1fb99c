/**
 * The nodes of a payload beside its bytes: a small CAR of its dag-pb blocks, children before parents (the order in
 * which they come into being). About 56 KB for each GiB, so it is read whole.
 */
import { readFile } from 'node:fs/promises';
import { decodeFileNode, type FileNodeBlock, type FilePlace } from '../protocol/encoding/unixfsFile.ts';
import { CarReader, encodeCarHeader, encodeSectionHead } from './car.ts';

/**
 * Where every block below `root` begins, by the nodes alone. Unverified: whoever uses a place reads through the walk.
 */
export function* placesIn(
  root: string,
  nodes: ReadonlyMap<string, Uint8Array>,
  fileOffset = 0,
  place?: FilePlace,
): Generator<{ readonly cid: string; readonly fileOffset: number }> {
  const node = decodeFileNode(root, nodes.get(root) ?? new Uint8Array(0), place);
  let childOffset = fileOffset;
  for (const link of node.links) {
    yield { cid: link.cid, fileOffset: childOffset };
    if (node.height > 1) yield* placesIn(link.cid, nodes, childOffset, { ...link, height: node.height - 1 });
    childOffset += link.fileBytes;
  }
}

/** The file that holds the nodes of payload `root`. */
export function encodeNodesFile(root: string, nodes: readonly FileNodeBlock[]): Uint8Array {
  return Buffer.concat([
    encodeCarHeader([root]),
    ...nodes.flatMap((node) => [encodeSectionHead(node.cid, node.bytes.length), node.bytes]),
  ]);
}

/**
 * The blocks of a nodes file by CID, unverified.
 * @throws AssayError `CAR_INVALID`, `CAR_TRUNCATED`, also when there is no file
 */
export async function readNodesFile(path: string): Promise<Map<string, Uint8Array>> {
  let file: Uint8Array | undefined = await readFile(path).catch(() => new Uint8Array(0));
  const reader = new CarReader(async () => {
    const once = file;
    file = undefined;
    return once;
  }, path);
  await reader.header();
  const nodes = new Map<string, Uint8Array>();
  for (let section = await reader.section(); section !== undefined; section = await reader.section()) {
    nodes.set(section.cid, section.bytes);
  }
  return nodes;
}

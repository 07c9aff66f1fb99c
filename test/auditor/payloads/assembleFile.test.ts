/** Where an assembled file says that its bytes lie, they lie: a thread reads them there without asking it. */
import { readSync } from 'node:fs';
import { expect } from 'chai';
import { assembleFile, type BlockPlace, type Blocks } from '../../../auditor/payloads/assembleFile.ts';
import { wholePayload } from '../../../auditor/payloads/payload.ts';
import { type Spool, Spools } from '../../../auditor/payloads/spool.ts';
import {
  blockCid,
  type FileNodeBlock,
  LEAF_BYTES,
  RAW_CODEC,
  UnixfsFileBuilder,
} from '../../../protocol/encoding/unixfsFile.ts';

describe('a file in one piece', () => {
  const content = Uint8Array.from({ length: 2 * LEAF_BYTES + 1000 }, (_, k) => (k * 31 + (k >> 12)) % 251);
  const leaves = [0, 1, 2].map((i) => content.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES));
  const nodes: FileNodeBlock[] = [];
  const builder = new UnixfsFileBuilder((node) => nodes.push(node));
  builder.write(content);
  const { cid } = builder.finish();
  const node = nodes[0]!.bytes;
  let spools: Spools;
  afterEach(() => spools.close());

  const assemble = async (order: readonly Uint8Array[], memoryBytes: number) => {
    spools = new Spools({ memoryBytes });
    const spool = await spools.create(content.length);
    const places = new Map<string, BlockPlace>();
    for (const bytes of order) {
      const name = bytes === node ? cid : blockCid(RAW_CODEC, bytes);
      places.set(name, { offset: await spool.append(bytes), length: bytes.length });
    }
    return assembleFile({ cid, maxBytes: 2 ** 30 }, blocksOf(spool, places));
  };

  it('is read where it says it lies', async () => {
    const payload = await assemble([node, ...leaves], 0);
    const { descriptor, byteOffset } = payload.fileRange!;
    const read = new Uint8Array(content.length);
    expect(readSync(descriptor, read, 0, read.length, byteOffset)).to.equal(read.length);
    expect(Buffer.compare(read, content)).to.equal(0);
  });

  it('says that it lies nowhere when its leaves came in another order, between others, or into memory', async () => {
    const [first, second, last] = leaves as [Uint8Array, Uint8Array, Uint8Array];
    for (const [order, memoryBytes] of [
      [[node, second, first, last], 0],
      [[first, node, second, last], 0],
      [[node, first, second, last], 2 ** 30],
    ] as const) {
      const payload = await assemble(order, memoryBytes);
      expect(payload.fileRange ?? null).to.equal(null);
      expect(Buffer.compare(await wholePayload(payload), content)).to.equal(0);
      await spools.close();
    }
  });
});

function blocksOf(spool: Spool, places: ReadonlyMap<string, BlockPlace>): Blocks {
  return {
    find: (cid) => places.get(cid)!,
    fileRange: spool.fileRange ?? null,
    read: (offset, into) => spool.read(offset, into),
    release: () => spool.release(),
  };
}

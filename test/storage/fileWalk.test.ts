import { expect } from 'chai';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES, UnixfsFileBuilder } from '../../protocol/encoding/unixfsFile.ts';
import { type VerifiedBlock, type WantedBlock, walkFile } from '../../storage/fileWalk.ts';
import { errorOf } from './helpers.ts';

describe('walkFile on a file above 1 GiB (two levels of nodes)', () => {
  const GIB = 1024 * LEAF_BYTES;
  const zeros = new Uint8Array(LEAF_BYTES);
  const blocks = new Map<string, Uint8Array>([[payloadCid(zeros), zeros]]);
  let root = '';
  let asked: WantedBlock[];

  before(function () {
    this.timeout(60_000);
    const builder = new UnixfsFileBuilder(({ cid, bytes }) => blocks.set(cid, bytes));
    for (let i = 0; i < 1025; i++) builder.write(zeros);
    root = builder.finish().cid;
  });
  beforeEach(() => {
    asked = [];
  });

  const getBlock = async (wanted: WantedBlock): Promise<Uint8Array> => {
    asked.push(wanted);
    return blocks.get(wanted.cid) ?? new Uint8Array(0);
  };
  async function walk(from?: number, to?: number): Promise<Omit<VerifiedBlock, 'bytes' | 'cid'>[]> {
    const span = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    const seen: Omit<VerifiedBlock, 'bytes' | 'cid'>[] = [];
    for await (const { kind, fileOffset } of walkFile(root, getBlock, {
      holder: 'memory',
      maxBytes: 2 * GIB,
      ...span,
    })) {
      seen.push({ kind, fileOffset });
    }
    return seen;
  }

  it('visits the covering path only', async () => {
    expect(await walk(GIB - 1, GIB + 1)).to.deep.equal([
      { kind: 'node', fileOffset: 0 },
      { kind: 'node', fileOffset: 0 },
      { kind: 'leaf', fileOffset: GIB - LEAF_BYTES },
      { kind: 'node', fileOffset: GIB },
      { kind: 'leaf', fileOffset: GIB },
    ]);
    expect(asked.map((wanted) => wanted.fileBytes)).to.deep.equal([undefined, GIB, LEAF_BYTES, LEAF_BYTES, LEAF_BYTES]);
  });

  it('visits everything, depth first', async function () {
    this.timeout(60_000);
    const seen = await walk();
    expect(seen.map((block) => block.kind[0]).join('')).to.equal(`nn${'l'.repeat(1024)}nl`);
    expect(seen.at(-1)?.fileOffset).to.equal(GIB);
  });

  it('catches a wrong node below the root', async () => {
    await walk(0, 1);
    const inner = asked[1]?.cid as string;
    const good = blocks.get(inner) as Uint8Array;
    const bad = Uint8Array.from(good);
    bad[40] = (bad[40] ?? 0) ^ 1;
    blocks.set(inner, bad);
    expect((await errorOf(walk(0, 1), 'BLOCK_MISMATCH')).message).to.contain(inner);
    blocks.set(inner, good);
  });
});

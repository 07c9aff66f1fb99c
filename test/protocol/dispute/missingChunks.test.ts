import { expect } from 'chai';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { openUpdateAnswer } from '../../../protocol/commitment/openings.ts';
import { buildAnswer } from '../../../protocol/dispute/buildAnswer.ts';
import { missingChunks, type OpenedChunk } from '../../../protocol/dispute/missingChunks.ts';
import { chunksOf, updateTree } from '../../../protocol/dispute/trees.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeUpdate } from '../../../protocol/encoding/vectors.ts';

const LAYOUT = vectorLayout(16 * 11 + 3, 16); // 12 chunks in a tree of 16 leaves
const PAYLOAD = encodeUpdate(
  Int16Array.from({ length: LAYOUT.dimension }, (_, i) => ((i * 37) % 201) - 100),
  LAYOUT,
);
const COMMITMENT = commitUpdate(PAYLOAD, LAYOUT);
const read = chunksOf(PAYLOAD, 32);

/** Asks, is answered, asks again, until nothing is missing; tells what was asked for at each step. */
async function descend(held: Uint8Array | null): Promise<number[][]> {
  const tree = held === null ? null : await updateTree(chunksOf(held, 32), LAYOUT);
  const opened = new Map<number, OpenedChunk>();
  const steps: number[][] = [];
  for (;;) {
    const missing = missingChunks(LAYOUT, COMMITMENT, tree, opened);
    if (missing.length === 0) break;
    steps.push(missing);
    for (const chunk of missing) {
      const opening = await buildAnswer(read, LAYOUT, { kind: 'update', chunk, ...COMMITMENT, rows: 0 });
      opened.set(chunk, openUpdateAnswer(COMMITMENT, LAYOUT, chunk, opening!)!);
    }
  }
  for (let chunk = 0; chunk < LAYOUT.chunkCount; chunk++) {
    const known = opened.get(chunk)?.chunk ?? held!.subarray(chunk * 32, (chunk + 1) * 32);
    expect([...known], `chunk ${chunk}`).to.deep.equal([...(await read(chunk))]);
  }
  return steps;
}

function spoiled(...chunks: number[]): Uint8Array {
  const payload = PAYLOAD.slice();
  for (const chunk of chunks) payload[chunk * 32] = payload[chunk * 32]! ^ 1;
  return payload;
}

describe('protocol/dispute: what to ask for next', () => {
  it('nothing, of a payload that is right', async () => {
    expect(await descend(PAYLOAD)).to.deep.equal([]);
  });

  it('of a payload nobody has: one chunk in each subtree that is still dark, twice as many each time', async () => {
    expect(await descend(null)).to.deep.equal([[0], [1, 2, 4, 8], [3, 5, 6, 9, 10], [7, 11]]);
  });

  it('of a payload with one wrong chunk: one chunk a level at most, towards the one that differs', async () => {
    expect(await descend(spoiled(0))).to.deep.equal([[0]]);
    expect(await descend(spoiled(1))).to.deep.equal([[0], [1]]);
    expect(await descend(spoiled(7))).to.deep.equal([[0], [4], [6], [7]]);
  });

  it('of two wrong chunks: both at once where the tree tells them apart', async () => {
    expect(await descend(spoiled(3, 11))).to.deep.equal([[0], [2, 8], [3, 10], [11]]);
  });

  it('a payload that is not the commitment opens nothing', async () => {
    const wanted = { kind: 'update' as const, chunk: 2, ...COMMITMENT, rows: 0 };
    expect(await buildAnswer(chunksOf(spoiled(5), 32), LAYOUT, wanted)).to.equal(null);
  });
});

import { expect } from 'chai';
import { gramMatrixBytes } from '../../../protocol/commitment/gramTree.ts';
import { commitUpdate, MAX_SUM, type SumNode } from '../../../protocol/commitment/merkleSum.ts';
import {
  foldGramPath,
  foldModelPath,
  foldSumPath,
  openGramAnswer,
  openModelAnswer,
  openUpdateAnswer,
  packSumPath,
  unpackGramPath,
  unpackModelPath,
  unpackSumPath,
} from '../../../protocol/commitment/openings.ts';
import { openModelChunk, openUpdateChunk } from '../../../protocol/dispute/badCoordinate.ts';
import { chunksOf } from '../../../protocol/dispute/trees.ts';
import { concatBytes, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { honestRound, modelChunks, Random, updateChunks } from '../support/disputeWorld.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { gramAnswer, lyingGramTree } from '../support/lyingTrees.ts';

/** A byte too few, too many, or changed. */
const spoilt = (bytes: Uint8Array): Uint8Array[] => [
  bytes.slice(1),
  bytes.slice(0, -1),
  bytes.slice(0, -40),
  concatBytes(bytes, new Uint8Array(1)),
  new Uint8Array(0),
  bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
  bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)),
  bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 64 : byte)),
];

describe('an answer with a chunk of an update', () => {
  const world = honestRound(new Random(40), { rule: 'fedavg', chunks: 5 });
  const { layout } = world;
  const commitment = world.rows[0]!;

  it('opens that chunk and no other', async () => {
    for (let c = 0; c < 5; c++) {
      const opening = await openUpdateChunk(updateChunks(world, 0), layout, c);
      const chunk = openUpdateAnswer(commitment, layout, c, opening)?.chunk;
      expect(chunk).to.deep.equal(world.payloads[0]!.slice(32 * c, 32 * (c + 1)));
      for (let other = 0; other < 9; other++) {
        if (other !== c) expect(openUpdateAnswer(commitment, layout, other, opening)).to.equal(null);
      }
      for (const bytes of spoilt(opening)) expect(openUpdateAnswer(commitment, layout, c, bytes)).to.equal(null);
    }
  });

  it('is refused under another norm, another root, or none', async () => {
    const opening = await openUpdateChunk(updateChunks(world, 0), layout, 2);
    for (const change of [{ normSq: commitment.normSq + 1n }, { root: world.rows[1]!.root }, { root: ZERO_HASH }]) {
      expect(openUpdateAnswer({ ...commitment, ...change }, layout, 2, opening)).to.equal(null);
    }
  });

  it('is refused with a coordinate in the padding, though it was committed to', async () => {
    expect(layout.dimension).to.be.lessThan(80);
    const dirty = world.payloads[0]!.slice();
    dirty[158] = 1;
    const opening = await openUpdateChunk(chunksOf(dirty, 32), layout, 4);
    expect(openUpdateAnswer(commitUpdate(dirty, layout), layout, 4, opening)).to.equal(null);
  });
});

describe('an answer with a chunk of a model', () => {
  const world = honestRound(new Random(41), { rule: 'fedavg', chunks: 6 });
  const { modelRoot } = world.publication;

  it('opens that chunk and no other', async () => {
    for (let c = 0; c < 6; c++) {
      const opening = await openModelChunk(modelChunks(world, world.model), world.layout, c);
      expect(openModelAnswer(modelRoot, world.layout, c, opening)?.chunk).to.deep.equal(
        world.model.slice(64 * c, 64 * (c + 1)),
      );
      for (let other = 0; other < 9; other++) {
        if (other !== c) expect(openModelAnswer(modelRoot, world.layout, other, opening)).to.equal(null);
      }
      expect(openModelAnswer(ZERO_HASH, world.layout, c, opening)).to.equal(null);
      for (const bytes of spoilt(opening)) expect(openModelAnswer(modelRoot, world.layout, c, bytes)).to.equal(null);
    }
  });
});

describe('an answer with a span of a Gram tree', () => {
  const world = honestRound(new Random(42), { rule: 'nnm+median', chunks: 70 });
  const n = world.round.validUpdates;
  const levels = lyingGramTree(world.gramPayload!, n, world.layout, null);
  const { gramRoot } = world.publication;

  it('opens that span and no other', () => {
    for (let span = 0; span < 5; span++) {
      const opening = gramAnswer(levels, span);
      const size = gramMatrixBytes(n);
      expect(openGramAnswer(gramRoot, n, world.layout, span, opening)?.matrix).to.deep.equal(
        world.gramPayload!.slice(size * span, size * (span + 1)),
      );
      for (let other = 0; other < 9; other++) {
        if (other !== span) expect(openGramAnswer(gramRoot, n, world.layout, other, opening)).to.equal(null);
      }
      expect(openGramAnswer(gramRoot, n + 1, world.layout, span, opening)).to.equal(null);
      expect(openGramAnswer(ZERO_HASH, n, world.layout, span, opening)).to.equal(null);
      for (const bytes of spoilt(opening))
        expect(openGramAnswer(gramRoot, n, world.layout, span, bytes)).to.equal(null);
    }
  });
});

describe('a packed path', () => {
  const nodes: SumNode[] = [1n, MAX_SUM, 7n].map((sum) => ({ hash: new Random(Number(sum % 99n)).bytes(32), sum }));

  it('comes back from its bytes, and only from as many as it has', () => {
    const packed = packSumPath(nodes);
    expect(unpackSumPath(packed, 3)).to.deep.equal(nodes);
    for (const unpack of [unpackSumPath, unpackModelPath, unpackGramPath]) {
      expectAssayError('OPENING_LENGTH', () => unpack(packed, 2));
      expectAssayError('OPENING_LENGTH', () => unpack(packed.slice(1), 3));
    }
  });

  it('leads nowhere when a sum leaves 64 bits, or from a position that its levels do not have', () => {
    const leaf = { hash: new Random(5).bytes(32), sum: 0n };
    const [one, largest, seven] = nodes as [SumNode, SumNode, SumNode];
    expect(foldSumPath(leaf, 0, [one, seven])?.sum).to.equal(8n);
    expect(foldSumPath(leaf, 0, [largest])?.sum).to.equal(MAX_SUM);
    expect(foldSumPath(leaf, 0, [one, largest])).to.equal(undefined);
    for (const position of [4, -1, 0.5, 2 ** 32]) {
      expect(foldSumPath(leaf, position, [one, seven])).to.equal(undefined);
      expect(foldModelPath(leaf.hash, position, [one.hash, seven.hash])).to.equal(undefined);
      const step = { sibling: { hash: one.hash, matrixHash: seven.hash }, claimed: one.hash };
      expect(foldGramPath(leaf.hash, position, [step, step])).to.equal(undefined);
    }
  });
});

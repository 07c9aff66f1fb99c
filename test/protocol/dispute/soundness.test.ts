/**
 * Soundness by numbers: no proof of any kind convicts anybody in honest rounds, wherever it looks; and one lie anywhere
 * is proven, against the right party. ASSAY_FUZZ_RUNS asks for more rounds.
 */
import { expect } from 'chai';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { sumLeafPreimage, sumNodePreimage } from '../../../protocol/commitment/merkleSum.ts';
import { buildBadCoordinate } from '../../../protocol/dispute/badCoordinate.ts';
import { buildBadSum, sumOpening } from '../../../protocol/dispute/badSum.ts';
import { buildBadVacancy } from '../../../protocol/dispute/badVacancy.ts';
import { locateBadSum } from '../../../protocol/dispute/locateBadSum.ts';
import { modelTree, updateTree } from '../../../protocol/dispute/trees.ts';
import { concatBytes, toHex } from '../../../protocol/encoding/bytes.ts';
import { viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { runs } from '../support/arbitraries.ts';
import {
  accusedPosition,
  coordinateSources,
  type DisputeWorld,
  honestRound,
  modelChunks,
  NUMBER,
  Random,
  recommit,
  republish,
  updateChunks,
} from '../support/disputeWorld.ts';
import { lyingSumTree } from '../support/lyingTrees.ts';

const ROUNDS = runs(1000).numRuns;

/** One seed a round; a failing one is named. */
async function forEachRound(count: number, look: (random: Random) => Promise<unknown>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) {
    try {
      await look(new Random(seed * 7919));
    } catch (error) {
      throw new Error(`round with seed ${seed * 7919}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function badCoordinateAt(world: DisputeWorld, coordinate: number) {
  const { round, publication, previous, reveals } = world;
  return buildBadCoordinate(round, NUMBER, publication, previous, reveals, coordinate, coordinateSources(world));
}

async function sumOpeningAt(world: DisputeWorld, row: number, level: number, position: number) {
  const read = updateChunks(world, row);
  const tree = await updateTree(read, world.layout);
  const node = tree.node(level, position);
  const beyond = position * 2 ** level >= world.layout.chunkCount;
  const preimage = beyond
    ? new Uint8Array(0)
    : level === 0
      ? sumLeafPreimage(node.sum, await read(position))
      : sumNodePreimage(tree.node(level - 1, 2 * position), tree.node(level - 1, 2 * position + 1));
  return sumOpening(level, position, node, preimage, tree.path(level, position));
}

describe('disputes, in honest rounds', function () {
  this.timeout(120_000);

  it('no node of an update is a bad sum, and no search finds one', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random);
      const { round, reveals, layout } = world;
      const row = random.int(0, world.rows.length - 1);
      const level = random.int(0, layout.depth);
      const position = random.int(0, 2 ** (layout.depth - level) - 1);
      const opening = await sumOpeningAt(world, row, level, position);
      expect(buildBadSum(round, NUMBER, reveals, accusedPosition(world, row), opening)).to.equal(null);
      const read = updateChunks(world, row);
      expect(await locateBadSum(layout, await updateTree(read, layout), read, world.rows[row]!)).to.equal(null);
    }));

  it('no coordinate is bad, padding included', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random);
      const { chunkCount, chunkSize } = world.layout;
      expect(await badCoordinateAt(world, random.int(0, chunkCount * chunkSize - 1))).to.equal(null);
    }));

  it('no vacancy of a published model or state is bad', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random, { chunks: random.pick([3, 5, 6, 7, 9, 17, 33]), stateful: true });
      const { round, publication, layout } = world;
      const level = random.int(0, layout.depth - 1);
      const first = Math.ceil(layout.chunkCount / 2 ** level);
      const last = 2 ** (layout.depth - level) - 1;
      if (first > last) return;
      const position = random.int(first, last);
      for (const tree of ['model', 'state'] as const) {
        const whole = await modelTree(modelChunks(world, tree === 'model' ? world.model : world.newState!), layout);
        const [hash, path] = [toHex(whole.node(level, position)), concatBytes(...whole.path(level, position))];
        const found = buildBadVacancy(round, { round: NUMBER, publication, tree, level, position, hash, path });
        expect(found).to.equal(null);
      }
    }));
});

describe('disputes, when one number is a lie', function () {
  this.timeout(120_000);

  it('a sum, of any node: found from the payload and the reveal alone, and proven against its participant', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random);
      const { layout } = world;
      const row = random.int(0, world.rows.length - 1);
      const level = random.int(0, layout.depth);
      const position = random.int(0, 2 ** (layout.depth - level) - 1);
      const read = updateChunks(world, row);
      const tree = await updateTree(read, layout);
      const { sum } = tree.node(level, position);
      const down = sum > 0n && random.int(0, 2) > 0; // a liar wants a smaller norm; vacant nodes can only claim more
      const delta = down ? -(BigInt(random.u32()) % sum) - 1n : BigInt(random.u32()) + 1n;
      const kind = level === 0 && position < layout.chunkCount && random.int(0, 1) === 1 ? 'leaf' : 'claim';
      const levels = lyingSumTree(world.payloads[row]!, layout, { kind, level, position, delta });
      const top = levels.at(-1)![0]!;
      const lying = recommit(world, row, { root: toHex(top.hash), normSq: top.sum });
      const opening = await locateBadSum(layout, tree, read, lying.rows[row]!);
      expect(opening).to.include({ level, position, claimedSum: sum + delta });
      const accused = accusedPosition(lying, row);
      const proof = buildBadSum(lying.round, NUMBER, lying.reveals, accused, opening!);
      expect(proof?.reveals[proof.accused]?.participant).to.equal(world.rows[row]!.participant);
    }));

  it('a coordinate of the model or of the server state', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random);
      const { layout } = world;
      const coordinate = random.int(0, layout.dimension - 1);
      const inState = world.newState !== null && random.int(0, 1) === 1;
      const payload = (inState ? world.newState! : world.model).slice();
      const vector = viewInt32(payload);
      vector[coordinate] = vector[coordinate]! ^ (1 << random.int(0, 31));
      const root = commitModel(vector.subarray(0, layout.dimension), layout);
      const lying = inState
        ? republish(world, { stateRoot: root }, { newState: payload })
        : republish(world, { modelRoot: root }, { model: payload });
      const proof = await badCoordinateAt(lying, coordinate);
      expect(proof?.chunk).to.equal(Math.floor(coordinate / layout.chunkSize));
      const other = random.int(0, layout.dimension - 1);
      if (other !== coordinate) expect(await badCoordinateAt(lying, other)).to.equal(null);
    }));
});

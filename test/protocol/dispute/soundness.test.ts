/**
 * Soundness by numbers: no proof of any kind convicts anybody in honest rounds, wherever it looks; and one lie anywhere
 * is proven, against the right party. ASSAY_FUZZ_RUNS asks for more rounds.
 */

import { expect } from 'chai';
import { sha256 } from '#sha256';
import { stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import {
  encodeGramMatrix,
  gramMatrixBytes,
  gramSpanCount,
  gramTreeDepth,
} from '../../../protocol/commitment/gramTree.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { sumLeafPreimage, sumNodePreimage } from '../../../protocol/commitment/merkleSum.ts';
import { gramPath, openUpdateAnswer, packGramPath, packSumPath } from '../../../protocol/commitment/openings.ts';
import { buildBadCoordinate, openModelChunk, openUpdateChunk } from '../../../protocol/dispute/badCoordinate.ts';
import { buildBadGramLeaf } from '../../../protocol/dispute/badGramLeaf.ts';
import { buildBadGramNode, packChildren } from '../../../protocol/dispute/badGramNode.ts';
import { buildBadMixing } from '../../../protocol/dispute/badMixing.ts';
import { buildBadSum, sumOpening } from '../../../protocol/dispute/badSum.ts';
import { buildBadVacancy } from '../../../protocol/dispute/badVacancy.ts';
import { nextGramSpan, nextModelChunk, nextUpdateChunk } from '../../../protocol/dispute/descend.ts';
import { locateBadSum } from '../../../protocol/dispute/locateBadSum.ts';
import {
  badSumOpening,
  badVacancyAt,
  findWrongGramEntry,
  gramProofAt,
  openGramRoot,
} from '../../../protocol/dispute/provenLies.ts';
import { chunksOf, gramNodeMatrix, gramTree, modelTree, updateTree } from '../../../protocol/dispute/trees.ts';
import { concatBytes, toHex } from '../../../protocol/encoding/bytes.ts';
import { viewInt32 } from '../../../protocol/encoding/vectors.ts';
import type { AssayError } from '../../../protocol/errors.ts';
import { runs } from '../support/arbitraries.ts';
import { commitState } from '../support/commitState.ts';
import {
  accusedPosition,
  coordinateSources,
  type DisputeWorld,
  JUDGED_GRAM_RULES as GRAM_RULES,
  honestRound,
  modelChunks,
  NUMBER,
  Random,
  recommit,
  republish,
  spansOf,
  stateChunks,
  updateChunks,
} from '../support/disputeWorld.ts';
import { gramAnswer, lyingGramTree, lyingModelTree, lyingSumTree, pathIn } from '../support/lyingTrees.ts';

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
  this.timeout(300_000);

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
        const chunks = tree === 'model' ? modelChunks(world, world.model) : stateChunks(world, world.newState!);
        const whole = await modelTree(chunks, layout);
        const [hash, path] = [toHex(whole.node(level, position)), concatBytes(...whole.path(level, position))];
        const found = buildBadVacancy(round, { round: NUMBER, publication, tree, level, position, hash, path });
        expect(found).to.equal(null);
      }
    }));

  it('no entry, no node and no vacancy of the Gram tree is bad, and the mixing matrix is right', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random, {
        rule: random.pick(GRAM_RULES),
        chunks: random.pick([1, 16, 17, 40, 70, 90]),
      });
      const { round, publication, reveals, layout } = world;
      const n = round.validUpdates;
      const tree = await gramTree(spansOf(world), n, layout);
      const second = random.int(0, n - 1);
      const place = { span: random.int(0, tree.leafCount - 1), first: random.int(0, second), second };
      const sources = {
        tree,
        readSpan: spansOf(world),
        first: updateChunks(world, place.first),
        second: updateChunks(world, second),
      };
      expect(await buildBadGramLeaf(round, NUMBER, publication, reveals, place, sources)).to.equal(null);
      if (tree.depth > 0) {
        const level = random.int(0, tree.depth - 1);
        const position = random.int(0, 2 ** (tree.depth - level) - 1);
        const path = packGramPath(gramPath(tree, level, position));
        if (position * 2 ** level >= tree.leafCount) {
          const hash = toHex(tree.node(level, position).hash);
          const vacancy = { round: NUMBER, publication, tree: 'gram' as const, level, position, hash, path };
          expect(buildBadVacancy(round, vacancy)).to.equal(null);
        } else if (level > 0) {
          const matrix = async (p: number) =>
            encodeGramMatrix(await gramNodeMatrix(spansOf(world), n, layout, level - 1, p));
          const [left, right] = [2 * position, 2 * position + 1];
          const hashes = [tree.node(level - 1, left).hash, tree.node(level - 1, right).hash] as const;
          const children = packChildren(...hashes, await matrix(left), await matrix(right));
          const found = buildBadGramNode(round, NUMBER, publication, reveals, { level, position }, children, path);
          expect(found).to.equal(null);
        }
      }
      const root = await openGramRoot(tree, spansOf(world), n, layout);
      expect(buildBadMixing(round, NUMBER, publication, reveals, root)).to.equal(null);
    }));

  it('a descent has nothing to ask for', () =>
    forEachRound(ROUNDS / 5, async (random) => {
      const world = honestRound(random, { rule: random.pick(GRAM_RULES) });
      const { layout, publication } = world;
      const n = world.round.validUpdates;
      const nothing = { kind: 'known', differing: [] };
      const update = await updateTree(updateChunks(world, 0), layout);
      expect(nextUpdateChunk(layout, world.rows[0]!, update, new Map())).to.deep.equal(nothing);
      const model = await modelTree(modelChunks(world, world.model), layout);
      expect(nextModelChunk(layout, publication.modelRoot, model, new Map())).to.deep.equal(nothing);
      const gram = await gramTree(spansOf(world), n, layout);
      expect(nextGramSpan(layout, n, publication.gramRoot, gram, new Map())).to.deep.equal(nothing);
    }));
});

describe('disputes, when one number is a lie', function () {
  this.timeout(300_000);

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
      const { serverStep } = world.round.parameters;
      const planes = inState ? stateVectors(serverStep) : 1;
      const k = coordinate % layout.chunkSize;
      // Of a state any of its vectors: m, or either half of v.
      const at = planes * (coordinate - k) + random.int(0, planes - 1) * layout.chunkSize + k;
      vector[at] = vector[at]! ^ (1 << random.int(0, 31));
      const lying = inState
        ? republish(world, { stateRoot: commitState(payload, layout, serverStep) }, { newState: payload })
        : republish(
            world,
            { modelRoot: commitModel(vector.subarray(0, layout.dimension), layout) },
            { model: payload },
          );
      const proof = await badCoordinateAt(lying, coordinate);
      expect(proof?.chunk).to.equal(Math.floor(coordinate / layout.chunkSize));
      const other = random.int(0, layout.dimension - 1);
      if (other !== coordinate) expect(await badCoordinateAt(lying, other)).to.equal(null);
    }));

  it('an entry of a Gram leaf, with the Gram payload at hand', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random, { rule: random.pick(GRAM_RULES), chunks: random.pick([1, 5, 16, 17, 40]) });
      const { layout } = world;
      const n = world.round.validUpdates;
      const payload = world.gramPayload!.slice();
      const entry = 8 * random.int(0, payload.length / 8 - 1) + random.int(0, 7);
      payload[entry] = payload[entry]! ^ (1 << random.int(0, 7));
      const published = chunksOf(payload, gramMatrixBytes(n));
      const tree = await gramTree(published, n, layout);
      const lying = republish(world, { gramRoot: toHex(tree.root.hash) });
      const place = await findWrongGramEntry(n, layout, spansOf(world), published);
      const proof = await buildBadGramLeaf(lying.round, NUMBER, lying.publication, lying.reveals, place!, {
        tree,
        readSpan: published,
        first: updateChunks(world, place!.first),
        second: updateChunks(world, place!.second),
      });
      expect(proof?.span).to.equal(Math.floor(entry / gramMatrixBytes(n)));
    }));

  it('any entry or claim of the Gram tree, found by asking for spans', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random, {
        rule: random.pick(GRAM_RULES),
        chunks: random.pick([1, 17, 40, 70, 90, 130]),
      });
      const { layout } = world;
      const n = world.round.validUpdates;
      const depth = gramTreeDepth(layout.chunkCount);
      const entryLie = depth === 0 || random.int(0, 1) === 0;
      const level = entryLie ? 0 : random.int(0, depth - 1);
      const spans = gramSpanCount(layout.chunkCount);
      const position = random.int(0, entryLie ? spans - 1 : 2 ** (depth - level) - 1);
      const entry = random.int(0, (n * (n + 1)) / 2 - 1);
      const delta = BigInt(random.pick([-1, 1])) << BigInt(random.int(0, 40));
      const kind = entryLie ? ('entry' as const) : ('claim' as const);
      const levels = lyingGramTree(world.gramPayload!, n, layout, { kind, level, position, entry, delta });
      const lying = republish(world, { gramRoot: toHex(levels.at(-1)![0]!.hash) });
      const known = await gramTree(spansOf(world), n, layout);
      const answers = new Map<number, Uint8Array>();
      for (;;) {
        const step = nextGramSpan(layout, n, lying.publication.gramRoot, known, answers);
        if (step.kind === 'ask') {
          expect(answers.size).to.be.at.most(depth);
          answers.set(step.chunk, gramAnswer(levels, step.chunk));
          continue;
        }
        expect(step.kind).to.equal('lie');
        if (step.kind !== 'lie') return;
        const truth = { known, readSpan: spansOf(world), rows: world.rows.map((_, r) => updateChunks(world, r)) };
        const { round, publication, reveals } = lying;
        const proof = await gramProofAt(round, NUMBER, publication, reveals, truth, step.at, answers);
        const vacant = position * 2 ** level >= spans; // then the highest vacant node above it is shown
        if (!vacant) expect([step.at.level, step.at.position]).to.deep.equal([level, position]);
        expect(proof?.kind).to.equal(vacant ? 'badVacancy' : level > 0 ? 'badGramNode' : 'badGramLeaf');
        return;
      }
    }));

  it('a weight of the mixing matrix', () =>
    forEachRound(ROUNDS, async (random) => {
      const world = honestRound(random, { rule: random.pick(GRAM_RULES) });
      const n = world.round.validUpdates;
      const mixing = world.mixing!.slice();
      const at = random.int(0, mixing.length - 1);
      mixing[at] = mixing[at]! ^ (1 << random.int(0, 7));
      const lying = republish(world, { mixingHash: toHex(sha256(mixing)) });
      const tree = await gramTree(spansOf(world), n, world.layout);
      const root = await openGramRoot(tree, spansOf(world), n, world.layout);
      const proof = buildBadMixing(lying.round, NUMBER, lying.publication, lying.reveals, root);
      expect(toHex(proof!.mixing)).to.equal(toHex(world.mixing!));
    }));

  it('a model that nobody can fetch: its wrong coordinate is found by asking for chunks', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random, { stateful: random.int(0, 1) === 1 });
      const { layout } = world;
      const coordinate = random.int(0, layout.dimension - 1);
      const payload = world.model.slice();
      viewInt32(payload)[coordinate]! ^= 1 << random.int(0, 31);
      const served = await modelTree(modelChunks(world, payload), layout);
      const root = toHex(served.root);
      const lying = republish(world, { modelRoot: root });
      const right = await modelTree(modelChunks(world, world.model), layout);
      const answers = new Map<number, Uint8Array>();
      let step = nextModelChunk(layout, root, right, answers);
      while (step.kind === 'ask') {
        expect(answers.size).to.be.at.most(layout.depth);
        answers.set(step.chunk, await openModelChunk(modelChunks(world, payload), layout, step.chunk));
        step = nextModelChunk(layout, root, right, answers);
      }
      const chunk = Math.floor(coordinate / layout.chunkSize);
      expect(step).to.deep.equal({ kind: 'known', differing: [chunk] });
      const { round, publication, previous, reveals } = lying;
      const sources = { ...coordinateSources(world), model: answers.get(chunk)! };
      const proof = await buildBadCoordinate(round, NUMBER, publication, previous, reveals, coordinate, sources);
      expect(proof?.newModel).to.deep.equal(answers.get(chunk));
    }));

  it('something beyond the last chunk of a model', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random, { chunks: random.pick([3, 5, 6, 7, 9, 17, 33]) });
      const { layout } = world;
      const level = random.int(0, Math.floor(Math.log2(2 ** layout.depth - layout.chunkCount)));
      const position = 2 ** (layout.depth - level) - 1;
      const lie = { level, position, hash: random.bytes(32) };
      const levels = lyingModelTree(world.model, layout, lie);
      const lying = republish(world, { modelRoot: toHex(levels.at(-1)![0]!) });
      const right = await modelTree(modelChunks(world, world.model), layout);
      const answers = new Map<number, Uint8Array>();
      let step = nextModelChunk(layout, lying.publication.modelRoot, right, answers);
      while (step.kind === 'ask') {
        const chunk = await modelChunks(world, world.model)(step.chunk);
        answers.set(step.chunk, concatBytes(chunk, ...pathIn(levels, 0, step.chunk)));
        step = nextModelChunk(layout, lying.publication.modelRoot, right, answers);
      }
      expect(step.kind).to.equal('lie');
      if (step.kind !== 'lie') return;
      const proof = badVacancyAt(lying.round, NUMBER, lying.publication, 'model', step.at);
      expect(proof).to.include({ tree: 'model' });
      expect(proof!.position * 2 ** proof!.level).to.be.at.least(layout.chunkCount);
    }));

  it('other bytes under the CID of an update: every answer narrows them down, until all are known', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random);
      const { layout } = world;
      const served = world.payloads[0]!.slice();
      const changed = new Set<number>();
      for (let k = 0; k < random.int(1, 3); k++) {
        const coordinate = random.int(0, layout.dimension - 1);
        served[2 * coordinate]! ^= 1 << k;
        changed.add(Math.floor(coordinate / layout.chunkSize));
      }
      const known = await updateTree(chunksOf(served, 2 * layout.chunkSize), layout);
      const answers = new Map<number, Uint8Array>();
      let step = nextUpdateChunk(layout, world.rows[0]!, known, answers);
      while (step.kind === 'ask') {
        expect(answers.has(step.chunk)).to.equal(false);
        answers.set(step.chunk, await openUpdateChunk(updateChunks(world, 0), layout, step.chunk));
        step = nextUpdateChunk(layout, world.rows[0]!, known, answers);
      }
      expect(step.kind).to.equal('known');
      const patched = served.slice();
      for (const chunk of step.differing) {
        patched.set(answers.get(chunk)!.subarray(0, 2 * layout.chunkSize), 2 * layout.chunkSize * chunk);
      }
      expect(patched).to.deep.equal(world.payloads[0]);
      expect(step.differing.every((chunk) => changed.has(chunk))).to.equal(true);
    }));

  it('two sums of an update: the first answers show one of them', () =>
    forEachRound(ROUNDS / 2, async (random) => {
      const world = honestRound(random, { chunks: random.pick([3, 4, 6, 9, 17, 40]) });
      const { layout } = world;
      const levels = twoSumLies(random, world);
      if (levels === null) return;
      const top = levels.at(-1)![0]!;
      const lying = recommit(world, 0, { root: toHex(top.hash), normSq: top.sum });
      const read = updateChunks(world, 0);
      const known = await updateTree(read, layout);
      const answers = new Map<number, Uint8Array>();
      for (;;) {
        const step = nextUpdateChunk(layout, lying.rows[0]!, known, answers);
        if (step.kind === 'ask') {
          const chunk = (await read(step.chunk)).slice();
          const opening = concatBytes(chunk, packSumPath(pathIn(levels, 0, step.chunk)));
          // Below a lie no opening adds up: the liar cannot answer, and its silence convicts it.
          if (openUpdateAnswer(lying.rows[0]!, layout, step.chunk, opening) === null) return;
          answers.set(step.chunk, opening);
          continue;
        }
        expect(step.kind).to.equal('lie');
        if (step.kind !== 'lie') return;
        const opening = await badSumOpening(layout, known, read, step.at);
        expect(buildBadSum(lying.round, NUMBER, lying.reveals, accusedPosition(lying, 0), opening)).not.to.equal(null);
        return;
      }
    }));

  it('the set of submissions, or any other number of the publication: every proof still speaks of what was published', () =>
    forEachRound(ROUNDS / 5, async (random) => {
      const world = honestRound(random);
      const other = { ...world.publication, submissionSet: random.hash() };
      const { round, previous, reveals } = world;
      const coordinate = random.int(0, world.layout.dimension - 1);
      const build = () =>
        buildBadCoordinate(round, NUMBER, other, previous, reveals, coordinate, coordinateSources(world));
      expect(await errorCode(build)).to.equal('PROOF_MALFORMED');
    }));
});

/** All levels of the tree of row 0 with two lies on different nodes; null when they happen to be one. */
function twoSumLies(random: Random, world: DisputeWorld) {
  const { layout } = world;
  const lies = [0, 1].map(() => {
    const level = random.int(0, layout.depth - 1);
    const position = random.int(0, Math.ceil(layout.chunkCount / 2 ** level) - 1);
    return { kind: 'claim' as const, level, position, delta: BigInt(random.int(1, 1000)) };
  });
  if (lies[0]!.level === lies[1]!.level && lies[0]!.position === lies[1]!.position) return null;
  return lyingSumTree(world.payloads[0]!, layout, ...lies);
}

async function errorCode(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return (error as AssayError).code;
  }
}

/** What is no proof: everything here the contract reverts on, and the twins refuse, whoever is right. */

import { expect } from 'chai';
import { sha256 } from '#sha256';
import { stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { encodeGramMatrix, gramLeafHash, gramMatrixHash, gramNodeHash } from '../../../protocol/commitment/gramTree.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import {
  commitUpdate,
  merkleSumKind,
  sumLeafPreimage,
  sumNodePreimage,
  updateLeaf,
} from '../../../protocol/commitment/merkleSum.ts';
import { packGramPath } from '../../../protocol/commitment/openings.ts';
import { wholeTree } from '../../../protocol/commitment/perfectTree.ts';
import {
  type BadCoordinateProof,
  type CoordinateSources,
  judgeBadCoordinate,
  openModelChunk,
  openRow,
} from '../../../protocol/dispute/badCoordinate.ts';
import { judgeBadGramLeaf, openSpan } from '../../../protocol/dispute/badGramLeaf.ts';
import { judgeBadGramNode } from '../../../protocol/dispute/badGramNode.ts';
import { buildBadMixing, judgeBadMixing } from '../../../protocol/dispute/badMixing.ts';
import { type BadSumProof, judgeBadSum, sumOpening } from '../../../protocol/dispute/badSum.ts';
import { type BadVacancyProof, judgeBadVacancy } from '../../../protocol/dispute/badVacancy.ts';
import {
  type CopiedUpdateProof,
  findCopiedUpdates,
  judgeCopiedUpdate,
} from '../../../protocol/dispute/copiedUpdate.ts';
import { accusedParticipant, judgeProof } from '../../../protocol/dispute/fraudProof.ts';
import { locateBadSum } from '../../../protocol/dispute/locateBadSum.ts';
import { openGramRoot } from '../../../protocol/dispute/provenLies.ts';
import { gramTree, modelTree, updateTree } from '../../../protocol/dispute/trees.ts';
import { concatBytes, toHex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { accumulateRevealed, type RevealedUpdate } from '../../../protocol/round/submission.ts';
import { commitState } from '../support/commitState.ts';
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
  spansOf,
  updateChunks,
} from '../support/disputeWorld.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { lyingSumTree } from '../support/lyingTrees.ts';

const NO_BYTES = new Uint8Array(0);
const refused = (judge: () => unknown) => expectAssayError('PROOF_MALFORMED', judge);

describe('a proof of a bad sum', () => {
  let world: DisputeWorld;
  let guilty: BadSumProof;
  before(async () => {
    const honest = honestRound(new Random(5), { rule: 'trimmed-mean', chunks: 6 });
    const lie = { kind: 'leaf' as const, level: 0, position: 2, delta: -1n };
    const levels = lyingSumTree(honest.payloads[1]!, honest.layout, lie);
    const top = levels.at(-1)![0]!;
    world = recommit(honest, 1, { root: toHex(top.hash), normSq: top.sum });
    const tree = await updateTree(updateChunks(honest, 1), world.layout);
    const opening = await locateBadSum(world.layout, tree, updateChunks(honest, 1), world.rows[1]!);
    guilty = {
      kind: 'badSum',
      round: NUMBER,
      reveals: world.reveals,
      accused: accusedPosition(world, 1),
      opening: opening!,
    };
  });
  const altered = (change: Partial<BadSumProof['opening']>): BadSumProof => ({
    ...guilty,
    opening: { ...guilty.opening, ...change },
  });

  it('convicts, to begin with', () => {
    expect(judgeBadSum(world.round, guilty)).to.equal('guilty');
    expect(judgeProof(world.round, guilty)).to.equal('guilty');
    expect(accusedParticipant(guilty)).to.equal(world.rows[1]!.participant);
  });

  it('is refused with a path that is too short, too long or of another node', () => {
    const { path } = guilty.opening;
    refused(() => judgeBadSum(world.round, altered({ path: path.slice(1) })));
    refused(() => judgeBadSum(world.round, altered({ path: [...path, path[0]!] })));
    refused(() => judgeBadSum(world.round, altered({ path: [path[1]!, path[0]!, path[2]!] })));
    refused(() => judgeBadSum(world.round, altered({ position: 3 })));
    refused(() => judgeBadSum(world.round, altered({ position: 2 + 8 })));
    refused(() => judgeBadSum(world.round, altered({ level: 1 })));
    refused(() => judgeBadSum(world.round, altered({ level: 4, path: [] })));
    refused(() => judgeBadSum(world.round, altered({ level: -1 })));
  });

  it('is refused with a sum that is not the claimed one, or leaves 64 bits', () => {
    const { claimedSum, path } = guilty.opening;
    refused(() => judgeBadSum(world.round, altered({ claimedSum: claimedSum + 1n })));
    refused(() => judgeBadSum(world.round, altered({ claimedSum: claimedSum + 2n ** 64n })));
    refused(() => judgeBadSum(world.round, altered({ claimedSum: -1n })));
    const wrapped = path.map((step, i) => (i === 0 ? { ...step, sum: step.sum + 2n ** 64n } : step));
    refused(() => judgeBadSum(world.round, altered({ path: wrapped })));
    const moved = path.map((step, i) => ({ ...step, sum: step.sum + (i === 0 ? 1n : i === 1 ? -1n : 0n) }));
    refused(() => judgeBadSum(world.round, altered({ path: moved })));
  });

  it('is refused without the preimage, unless the node is beyond the last chunk', () => {
    refused(() => judgeBadSum(world.round, altered({ preimage: NO_BYTES })));
    const hash = toHex(sha256(guilty.opening.preimage));
    refused(() => judgeBadSum(world.round, altered({ preimage: NO_BYTES, hash })));
    refused(() => judgeBadSum(world.round, altered({ preimage: guilty.opening.preimage.slice(1) })));
  });

  it('cannot claim a sum for an honest root: that is the commitment’s alone', async () => {
    const tree = await updateTree(updateChunks(world, 0), world.layout);
    const preimage = sumNodePreimage(tree.node(2, 0), tree.node(2, 1));
    const accused = accusedPosition(world, 0);
    const claim = (sum: bigint): BadSumProof => {
      const opening = sumOpening(3, 0, { hash: tree.root.hash, sum }, preimage, []);
      return { ...guilty, accused, opening };
    };
    expect(judgeBadSum(world.round, claim(tree.root.sum))).to.equal('innocent');
    refused(() => judgeBadSum(world.round, claim(tree.root.sum + 1n)));
    refused(() => judgeBadSum(world.round, claim(0n)));
  });

  it('convicts a leaf that hashes another sum than the true one that its parent claims', () => {
    const chunk = world.payloads[0]!.subarray(0, 32);
    const { sum } = updateLeaf(chunk);
    const preimage = sumLeafPreimage(sum + 1n, chunk);
    const leaves = Array.from({ length: 6 }, (_, c) => updateLeaf(world.payloads[0]!.subarray(32 * c, 32 * (c + 1))));
    leaves[0] = { hash: sha256(preimage), sum };
    const tree = wholeTree(merkleSumKind, 3, leaves);
    const lying = recommit(world, 0, { root: toHex(tree.root.hash), normSq: tree.root.sum });
    const opening = sumOpening(0, 0, leaves[0], preimage, tree.path(0, 0));
    const proof = { ...guilty, reveals: lying.reveals, accused: accusedPosition(lying, 0), opening };
    expect(judgeBadSum(lying.round, proof)).to.equal('guilty');
  });

  it('is refused with other reveals: one left out, one twice, another order', () => {
    const [first, ...rest] = world.reveals;
    for (const reveals of [rest, [first!, ...world.reveals], [...rest, first!], []]) {
      refused(() => judgeBadSum(world.round, { ...guilty, reveals }));
    }
    refused(() => judgeBadSum(world.round, { ...guilty, accused: world.reveals.length }));
  });

  it('is refused against somebody whose submission is void already', () => {
    const bit = 1n << BigInt(world.rows[1]!.index);
    const round = { ...world.round, voidedBitmap: world.round.voidedBitmap | bit };
    refused(() => judgeBadSum(round, guilty));
  });

  it('convicts nobody who committed to the zero root: nothing opens', () => {
    const zero = recommit(world, 1, { root: ZERO_HASH, normSq: 0n });
    const opening = sumOpening(3, 0, { hash: new Uint8Array(32), sum: 0n }, NO_BYTES, []);
    refused(() => judgeBadSum(zero.round, { ...guilty, reveals: zero.reveals, opening }));
  });
});

describe('an update whose node is not a node', () => {
  it('convicts by its preimage, whatever that is', () => {
    const random = new Random(11);
    const world = honestRound(random, { rule: 'fedavg', chunks: 4 });
    for (const preimage of [
      random.bytes(1),
      random.bytes(41),
      random.bytes(81),
      concatBytes(Uint8Array.of(0x00), random.bytes(80)),
      concatBytes(Uint8Array.of(0x01), new Uint8Array(79)),
      concatBytes(Uint8Array.of(0x01), new Uint8Array(81)),
    ]) {
      const strange = { hash: sha256(preimage), sum: 0n };
      const other = updateLeaf(world.payloads[0]!.subarray(0, 32));
      const right = merkleSumKind.join(other, other);
      const top = merkleSumKind.join(strange, right);
      const lying = recommit(world, 0, { root: toHex(top.hash), normSq: top.sum });
      const opening = sumOpening(1, 0, strange, preimage, [right]);
      const proof: BadSumProof = {
        kind: 'badSum',
        round: NUMBER,
        reveals: lying.reveals,
        accused: accusedPosition(lying, 0),
        opening,
      };
      expect(judgeBadSum(lying.round, proof)).to.equal('guilty');
    }
  });

  it('convicts by coordinates in the padding, which no layout has', () => {
    const world = honestRound(new Random(3), { rule: 'fedavg', chunks: 2 });
    const layout = { ...world.layout };
    const payload = world.payloads[0]!.slice();
    const dirty = layout.dimension < 32;
    expect(dirty, 'a vector with padding').to.equal(true);
    payload[payload.length - 2] = 5;
    const lying = recommit(world, 0, commitUpdate(payload, layout));
    const leaves = [0, 1].map((c) => updateLeaf(payload.subarray(32 * c, 32 * (c + 1))));
    const tree = wholeTree(merkleSumKind, 1, leaves);
    const preimage = concatBytes(Uint8Array.of(0), sumBytes(leaves[1]!.sum), payload.subarray(32));
    const opening = sumOpening(0, 1, leaves[1]!, preimage, tree.path(0, 1));
    const accused = accusedPosition(lying, 0);
    const proof: BadSumProof = { kind: 'badSum', round: NUMBER, reveals: lying.reveals, accused, opening };
    expect(judgeBadSum(lying.round, proof)).to.equal('guilty');
  });
});

describe('a proof of a bad coordinate', () => {
  let world: DisputeWorld;
  /** About the state of a step that has one, and about its model. */
  let ofState: BadCoordinateProof;
  let ofModel: BadCoordinateProof;

  /** The openings of coordinate 20, whether or not it is bad. */
  async function proofIn(
    of: DisputeWorld,
    part: 'all' | 'state' | 'model',
    coordinate = 20,
  ): Promise<BadCoordinateProof> {
    const chunk = Math.floor(coordinate / 16);
    const sources: CoordinateSources = coordinateSources(of);
    const open = async (source: CoordinateSources['model'] | null, needed = true) => {
      if (source === null || !needed) return NO_BYTES;
      return source instanceof Uint8Array ? source : await openModelChunk(source, of.layout, chunk);
    };
    const fromRows = part !== 'model';
    const models = part !== 'state';
    return {
      kind: 'badCoordinate',
      round: NUMBER,
      chunk,
      coordinate: coordinate % 16,
      publication: of.publication,
      previous: part === 'state' ? of.previous : null,
      reveals: fromRows ? of.reveals : [],
      rows: fromRows ? await Promise.all(sources.rows.map((read) => openRow(read, of.layout, chunk))) : [],
      oldModel: await open(sources.base, models),
      newModel: await open(sources.model, models),
      oldState: await open(sources.oldState, part === 'state'),
      newState: await open(sources.newState),
      mixing: fromRows ? (sources.mixing ?? NO_BYTES) : NO_BYTES,
    };
  }

  before(async () => {
    // A rule with a mixing matrix, a step with a state that came from somewhere: everything there is to open.
    for (let seed = 1; world === undefined || world.oldState === null; seed++) {
      world = honestRound(new Random(seed), { rule: 'nnm+trimmed-mean', stateful: true, chunks: 5 });
    }
    ofState = await proofIn(world, 'state');
    ofModel = await proofIn(world, 'model');
  });

  it('opens and convicts nobody, to begin with', async () => {
    const plain = honestRound(new Random(77), { rule: 'nnm+median', stateful: false, chunks: 5 });
    expect(judgeBadCoordinate(plain.round, await proofIn(plain, 'all'))).to.equal('innocent');
    for (const proof of [ofState, ofModel]) {
      expect(judgeBadCoordinate(world.round, proof)).to.equal('innocent');
      expect(accusedParticipant(proof)).to.equal(null);
    }
  });

  it('is refused with a byte too few, too many or changed in any opening', () => {
    const spoilt: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.slice(1),
      (bytes) => bytes.slice(0, -1),
      (bytes) => bytes.slice(0, -32),
      (bytes) => concatBytes(bytes, new Uint8Array(1)),
      (bytes) => concatBytes(bytes, new Uint8Array(40)),
      (bytes) => bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
      (bytes) => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 128 : byte)),
      () => NO_BYTES,
    ];
    for (const spoil of spoilt) {
      for (const field of ['oldState', 'newState', 'mixing'] as const) {
        refused(() => judgeBadCoordinate(world.round, { ...ofState, [field]: spoil(ofState[field]) }));
      }
      for (const field of ['oldModel', 'newModel', 'newState'] as const) {
        refused(() => judgeBadCoordinate(world.round, { ...ofModel, [field]: spoil(ofModel[field]) }));
      }
      const rows = ofState.rows.map((row, i) => (i === 1 ? spoil(row) : row));
      refused(() => judgeBadCoordinate(world.round, { ...ofState, rows }));
    }
  });

  it('is refused with what it does not need: one fraud has one proof', async () => {
    for (const field of ['oldModel', 'newModel'] as const) {
      refused(() => judgeBadCoordinate(world.round, { ...ofState, [field]: ofModel[field] }));
    }
    for (const field of ['oldState', 'rows', 'reveals', 'mixing'] as const) {
      refused(() => judgeBadCoordinate(world.round, { ...ofModel, [field]: ofState[field] }));
    }
    const plain = honestRound(new Random(77), { rule: 'median', stateful: false, chunks: 5 });
    const bare = await proofIn(plain, 'all');
    expect(judgeBadCoordinate(plain.round, bare)).to.equal('innocent');
    for (const field of ['oldState', 'newState', 'mixing'] as const) {
      refused(() => judgeBadCoordinate(plain.round, { ...bare, [field]: bare.oldModel }));
    }
  });

  it('is refused with rows left out, twice, or in another order', () => {
    const [first, second, ...rest] = ofState.rows;
    for (const rows of [
      [second!, ...rest],
      [first!, first!, ...rest],
      [second!, first!, ...rest],
      [...ofState.rows, first!],
    ]) {
      refused(() => judgeBadCoordinate(world.round, { ...ofState, rows }));
    }
  });

  it('is refused at a coordinate that is none, and for a chunk it does not open', () => {
    for (const change of [{ coordinate: 16 }, { coordinate: -1 }, { chunk: 5 }, { chunk: -1 }, { chunk: 0 }]) {
      refused(() => judgeBadCoordinate(world.round, { ...ofState, ...change }));
      refused(() => judgeBadCoordinate(world.round, { ...ofModel, ...change }));
    }
  });

  it('is refused for a publication that is not the round’s, and for another one before it', () => {
    const other = { ...world.publication, mixingHash: ZERO_HASH };
    for (const proof of [ofState, ofModel]) {
      refused(() => judgeBadCoordinate(world.round, { ...proof, publication: other }));
      refused(() => judgeBadCoordinate({ ...world.round, publicationHash: ZERO_HASH }, proof));
    }
    refused(() => judgeBadCoordinate(world.round, { ...ofState, previous: null }));
    refused(() => judgeBadCoordinate(world.round, { ...ofState, previous: world.publication }));
    const sameState = { ...world.previous!, modelRoot: ZERO_HASH };
    refused(() => judgeBadCoordinate(world.round, { ...ofState, previous: sameState }));
  });

  it('is refused where a row does not add up to its norm: that is a bad sum', () => {
    const { root, normSq } = world.rows[1]!;
    const lying = recommit(world, 1, { root, normSq: normSq + 1n });
    const { publication, reveals } = lying;
    refused(() => judgeBadCoordinate(lying.round, { ...ofState, publication, reveals }));
  });

  it('starts from a velocity of zeros before the first publication', async () => {
    let first: DisputeWorld | undefined;
    for (let seed = 1; first === undefined || first.oldState !== null; seed++) {
      first = honestRound(new Random(seed), { rule: 'fedavg', stateful: true, chunks: 5 });
    }
    const opened = await proofIn(first, 'state');
    expect(judgeBadCoordinate(first.round, opened)).to.equal('innocent');
    expect(opened.oldState).to.have.length(0);
    refused(() => judgeBadCoordinate(first.round, { ...opened, oldState: opened.newState }));
  });

  it('convicts who published the model of another state, and the state of another model, each by its own part', async () => {
    const { serverStep } = world.round.parameters;
    const alter = (payload: Uint8Array) => {
      const altered = payload.slice();
      const planes = payload === world.newState ? stateVectors(serverStep) : 1;
      viewInt32(altered)[16 * planes + 4]! += 1 << 24; // coordinate 20: the fifth of the second chunk
      const model = viewInt32(altered).subarray(0, world.layout.dimension);
      const root = planes === 1 ? commitModel(model, world.layout) : commitState(altered, world.layout, serverStep);
      return { altered, root };
    };
    const model = alter(world.model);
    const wrongModel = republish(world, { modelRoot: model.root }, { model: model.altered });
    expect(judgeBadCoordinate(wrongModel.round, await proofIn(wrongModel, 'model'))).to.equal('guilty');
    expect(judgeBadCoordinate(wrongModel.round, await proofIn(wrongModel, 'state'))).to.equal('innocent');
    expect(judgeBadCoordinate(wrongModel.round, await proofIn(wrongModel, 'model', 21))).to.equal('innocent');
    const state = alter(world.newState!);
    const wrongState = republish(world, { stateRoot: state.root }, { newState: state.altered });
    expect(judgeBadCoordinate(wrongState.round, await proofIn(wrongState, 'state'))).to.equal('guilty');
    expect(judgeBadCoordinate(wrongState.round, await proofIn(wrongState, 'state', 21))).to.equal('innocent');
  });

  it('leaves a mixing matrix of another shape to the proof about it', () => {
    for (const at of [0, 2, 4, 8]) {
      const mixing = world.mixing!.map((byte, i) => (i === at ? byte + 1 : byte));
      const lying = republish(world, { mixingHash: toHex(sha256(mixing)) }, { mixing });
      refused(() => judgeBadCoordinate(lying.round, { ...ofState, publication: lying.publication, mixing }));
    }
  });
});

describe('proofs about published trees', () => {
  const world = honestRound(new Random(21), { rule: 'multi-krum', stateful: false, chunks: 70 });
  const n = world.round.validUpdates;

  it('are refused where something has to be', async () => {
    const tree = await modelTree(modelChunks(world, world.model), world.layout);
    const at = (level: number, position: number): BadVacancyProof => ({
      kind: 'badVacancy',
      round: NUMBER,
      publication: world.publication,
      tree: 'model',
      level,
      position,
      hash: toHex(tree.node(level, position)),
      path: concatBytes(...tree.path(level, position)),
    });
    expect(judgeBadVacancy(world.round, at(0, 70))).to.equal('innocent');
    refused(() => judgeBadVacancy(world.round, at(0, 69)));
    refused(() => judgeBadVacancy(world.round, at(1, 34)));
    refused(() => judgeBadVacancy(world.round, at(7, 0)));
    refused(() => judgeBadVacancy(world.round, { ...at(0, 70), position: 70 + 128 }));
    refused(() => judgeBadVacancy(world.round, { ...at(0, 70), hash: toHex(new Random(1).bytes(32)) }));
    refused(() => judgeBadVacancy(world.round, { ...at(0, 70), path: at(0, 70).path.slice(1) }));
    refused(() => judgeBadVacancy(world.round, { ...at(0, 70), tree: 'state' }));
    refused(() => judgeBadVacancy(world.round, { ...at(0, 70), tree: 'gram' }));
  });

  it('are refused for leaves and nodes that are none', async () => {
    const { publication, reveals } = world;
    const base = { round: NUMBER, publication, reveals, path: NO_BYTES };
    const leaf = {
      ...base,
      kind: 'badGramLeaf' as const,
      span: 5,
      first: 0,
      second: 0,
      matrix: NO_BYTES,
      row: NO_BYTES,
      firstChunks: NO_BYTES,
      secondChunks: NO_BYTES,
    };
    refused(() => judgeBadGramLeaf(world.round, leaf));
    refused(() => judgeBadGramLeaf(world.round, { ...leaf, span: 0 }));
    refused(() => judgeBadGramLeaf(world.round, { ...leaf, span: 0, first: n, second: n }));
    const node = { ...base, kind: 'badGramNode' as const, level: 1, position: 0, children: NO_BYTES };
    for (const level of [0, 1, 3, 4]) refused(() => judgeBadGramNode(world.round, { ...node, level }));
  });

  it('convict by a matrix or a row that is none, since a hash has one preimage that anybody knows', async () => {
    const small = honestRound(new Random(30), { rule: 'nnm+median', stateful: false, chunks: 3 });
    const rows = small.round.validUpdates;
    const chunks = await Promise.all([0, 1].map((row) => openSpan(updateChunks(small, row), small.layout, 0)));
    const [firstChunks, secondChunks] = chunks as [Uint8Array, Uint8Array];
    const row = concatBytes(Uint8Array.of(0x13), new Uint8Array(8 * rows));
    const hashes = (first: Uint8Array) => concatBytes(sha256(first), new Uint8Array(32 * (rows - 1)));
    const judge = (matrix: Uint8Array, rowBytes: Uint8Array, opened = firstChunks) => {
      const lying = republish(small, { gramRoot: toHex(gramLeafHash(sha256(matrix))) });
      const { publication, reveals } = lying;
      return judgeBadGramLeaf(lying.round, {
        kind: 'badGramLeaf',
        round: NUMBER,
        span: 0,
        first: 0,
        second: 1,
        publication,
        reveals,
        matrix,
        row: rowBytes,
        path: NO_BYTES,
        firstChunks: opened,
        secondChunks,
      });
    };
    const matrix = concatBytes(Uint8Array.of(0x12), hashes(row));
    expect(judge(matrix, row)).to.equal('guilty'); // all zeros: the entry is wrong
    for (const strange of [
      NO_BYTES,
      matrix.slice(0, -1),
      concatBytes(matrix, row),
      matrix.map((b, i) => (i ? b : 0x11)),
    ]) {
      expect(judge(strange, NO_BYTES)).to.equal('guilty');
    }
    for (const strange of [Uint8Array.of(0x13), concatBytes(row, row), row.map((b, i) => (i ? b : 0x12))]) {
      expect(judge(concatBytes(Uint8Array.of(0x12), hashes(strange)), strange)).to.equal('guilty');
    }
    refused(() =>
      judge(
        matrix,
        row.map((b, i) => (i === 5 ? 1 : b)),
      ),
    );
    // Sums so large that they would not fit together do not open either.
    const huge = firstChunks.slice();
    for (const leaf of [0, 1, 2]) huge.fill(0xff, 40 * leaf, 40 * leaf + 8);
    refused(() => judge(matrix, row, huge));
  });

  it('convict a Gram node whose sum leaves 64 bits, however its hash was made', () => {
    const largest = new BigInt64Array((n * (n + 1)) / 2).fill(2n ** 63n - 1n);
    const wrapped = largest.map((value) => value + value);
    const random = new Random(6);
    const claim = (matrix: BigInt64Array) => ({ hash: random.bytes(32), matrixHash: gramMatrixHash(matrix, n) });
    const [left, right, sibling] = [claim(largest), claim(largest), claim(largest)];
    const matrixHash = gramMatrixHash(wrapped, n);
    const top = gramNodeHash({ hash: gramNodeHash(left, right), matrixHash }, sibling);
    const root = toHex(gramNodeHash({ hash: top, matrixHash }, sibling));
    const lying = republish(world, { gramRoot: root });
    const bytes = encodeGramMatrix(largest);
    const proof = {
      kind: 'badGramNode' as const,
      round: NUMBER,
      level: 1,
      position: 0,
      publication: lying.publication,
      reveals: lying.reveals,
      children: concatBytes(left.hash, right.hash, bytes, bytes),
      path: packGramPath([
        { sibling, claimed: matrixHash },
        { sibling, claimed: matrixHash },
      ]),
    };
    expect(judgeBadGramNode(lying.round, proof)).to.equal('guilty');
  });

  it('do not take a mixing matrix that is not the rule’s, nor hints that are wrong', async () => {
    const tree = await gramTree(spansOf(world), n, world.layout);
    const root = await openGramRoot(tree, spansOf(world), n, world.layout);
    const lying = republish(world, { mixingHash: world.publication.gramRoot });
    const proof = buildBadMixing(lying.round, NUMBER, lying.publication, lying.reveals, root)!;
    expect(judgeBadMixing(lying.round, proof)).to.equal('guilty');
    refused(() => judgeBadMixing(lying.round, { ...proof, mixing: proof.mixing.slice(0, -4) }));
    refused(() => judgeBadMixing(lying.round, { ...proof, nearest: proof.nearest.slice(1) }));
    refused(() => judgeBadMixing(lying.round, { ...proof, nearest: proof.nearest.map((bits) => bits ^ 1n) }));
    refused(() => judgeBadMixing(lying.round, { ...proof, root: root.slice(8) }));
    const other = encodeGramMatrix(new BigInt64Array((n * (n + 1)) / 2));
    refused(() => judgeBadMixing(lying.round, { ...proof, root: concatBytes(root.slice(0, 64), other, other) }));
    const plain = honestRound(new Random(2), { rule: 'fedavg' });
    refused(() => judgeBadMixing(plain.round, { ...proof, publication: plain.publication, reveals: plain.reveals }));
  });
});

describe('copied updates', () => {
  const world = honestRound(new Random(8), { rule: 'fedavg' });
  const revealed = (index: number, root: RevealedUpdate['root']): RevealedUpdate => ({
    index,
    participant: toHex(new Random(index).bytes(20)),
    root,
    normSq: BigInt(index),
    cidHash: new Random(index + 50).hash(),
  });
  const [a, b, c] = [1, 2, 3].map((seed) => new Random(seed).hash());
  const reveals = [revealed(4, a!), revealed(0, b!), revealed(7, a!), revealed(1, c!), revealed(2, b!)];
  const past = [revealed(3, c!), revealed(5, new Random(9).hash())];
  const accumulatorOf = (list: readonly RevealedUpdate[]) => list.reduce(accumulateRevealed, ZERO_HASH);
  const round = { ...world.round, accumulator: accumulatorOf(reveals), voidedBitmap: 0n };
  const current = { round: 9, reveals };
  const earlier = { round: 4, reveals: past };
  const judge = (proof: CopiedUpdateProof, of = round) => judgeCopiedUpdate(of, accumulatorOf(past), proof);

  it('are found within the round and from earlier ones, the later always being the copy', () => {
    const proofs = findCopiedUpdates(current, new Set(), [earlier]);
    expect(proofs.map(({ copy, originalRound, original }) => [copy, originalRound, original])).to.deep.equal([
      [2, 9, 0],
      [3, 4, 0],
      [4, 9, 1],
    ]);
    for (const proof of proofs) expect(judge(proof)).to.equal('guilty');
    expect(proofs.map(accusedParticipant)).to.deep.equal([2, 3, 4].map((at) => reveals[at]!.participant));
    expect(findCopiedUpdates(current, new Set([7, 1, 2]), [earlier])).to.deep.equal([]);
    expect(findCopiedUpdates(current, new Set(), [{ round: 10, reveals: past }])).to.have.length(2);
  });

  it('are refused when the roots differ, the original is later, the list is another, or the copy is void', () => {
    const [within, before] = findCopiedUpdates(current, new Set(), [earlier]) as [CopiedUpdateProof, CopiedUpdateProof];
    refused(() => judge({ ...within, copy: 0, original: 2 }));
    refused(() => judge({ ...within, original: 2 }));
    refused(() => judge({ ...within, original: 1 }));
    refused(() => judge({ ...within, copy: 5 }));
    refused(() => judge({ ...within, reveals: reveals.slice(1) }));
    refused(() => judge({ ...before, original: 1 }));
    refused(() => judge({ ...before, original: 2 }));
    refused(() => judge({ ...before, originalReveals: [...past].reverse() }));
    refused(() => judge({ ...before, originalRound: 10 }));
    refused(() => judge(within, { ...round, voidedBitmap: 1n << 7n }));
  });
});

function sumBytes(sum: bigint): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, sum);
  return new Uint8Array(bytes.buffer);
}

/**
 * Random cases for the two implementations of every judge: an honest round or one with a lie, a proof about it, and most
 * often something altered in the proof. Each case is a question to Solidity and what protocol/dispute answers.
 */

import { sha256 } from '#sha256';
import { fromRule, fromServerStep } from '../../chain/convert.ts';
import { mixingPreimage } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram } from '../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS, stateVectors } from '../../protocol/aggregation/serverStep.ts';
import {
  encodeGramMatrix,
  gramLeafHash,
  gramMatrixHash,
  gramNodeHash,
  gramSpanCount,
  gramTreeDepth,
} from '../../protocol/commitment/gramTree.ts';
import { MAX_SUM, type SumNode, sumLeafPreimage, sumNodePreimage } from '../../protocol/commitment/merkleSum.ts';
import {
  foldGramPath,
  type GramStep,
  matrixBytesPreimage,
  openGramAnswer,
  openModelAnswer,
  openUpdateAnswer,
  packGramPath,
  packSumPath,
  unpackGramPath,
} from '../../protocol/commitment/openings.ts';
import { modelCoordinate, openModelChunk, openRow, rowCoordinate } from '../../protocol/dispute/badCoordinate.ts';
import {
  type BadGramLeafProof,
  judgeBadGramLeaf,
  openSpan,
  rangeCoordinates,
  spanRange,
} from '../../protocol/dispute/badGramLeaf.ts';
import { type BadGramNodeProof, judgeBadGramNode, packChildren } from '../../protocol/dispute/badGramNode.ts';
import { type BadMixingProof, judgeBadMixing, nearestBitmaps, readGramRoot } from '../../protocol/dispute/badMixing.ts';
import { judgeSumOpening, type SumOpening, sumOpening } from '../../protocol/dispute/badSum.ts';
import { type BadVacancyProof, judgeBadVacancy } from '../../protocol/dispute/badVacancy.ts';
import { openGramRoot } from '../../protocol/dispute/provenLies.ts';
import {
  mixingShape,
  moveByDelta,
  moveByState,
  NO_STATE,
  readMixing,
  recomputeDelta,
  recomputeState,
  type StateCoordinate,
} from '../../protocol/dispute/recomputeCoordinate.ts';
import { gramTree } from '../../protocol/dispute/trees.ts';
import { concatBytes, type Hex, toHex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { stateLayout } from '../../protocol/encoding/layout.ts';
import { AssayError } from '../../protocol/errors.ts';
import { plainContext } from '../../protocol/round/roundIo.ts';
import {
  type DisputeWorld,
  honestRound,
  JUDGED_GRAM_RULES,
  modelChunks,
  NUMBER,
  type Random,
  randomRule,
  randomStep,
  republish,
  spansOf,
  stateChunks,
  updateChunks,
} from '../protocol/support/disputeWorld.ts';
import {
  type GramLie,
  gramAnswer,
  type LyingGramNode,
  lyingGramTree,
  lyingSumTree,
  pathIn,
} from '../protocol/support/lyingTrees.ts';
import { preAggregate } from '../protocol/support/preAggregateRows.ts';
import type { Question } from './harness.ts';
import {
  type GramShape,
  gramLeafQuestion,
  gramNodeQuestion,
  gramVacancyQuestion,
  mixingQuestion,
  shapeOf,
  sumQuestion,
} from './questions.ts';

export interface Case {
  readonly question: Question;
  readonly expected: string;
}

const NO_BYTES = new Uint8Array(0);

/** A judge's verdict, or that it refuses. */
function verdict(judge: () => string): string {
  try {
    return judge();
  } catch (error) {
    if (error instanceof AssayError && ['PROOF_MALFORMED', 'OPENING_LENGTH'].includes(error.code)) return 'malformed';
    throw error;
  }
}
const _guilt = (guilty: boolean) => (guilty ? 'guilty' : 'innocent');

/** Mostly one byte, sometimes the length: what a liar or a bad line would do to bytes. */
function spoil(random: Random, bytes: Uint8Array): Uint8Array {
  if (random.int(0, 9) === 0) return bytes.slice(0, Math.max(0, bytes.length - random.int(1, 40)));
  if (random.int(0, 9) === 0) return concatBytes(bytes, random.bytes(random.int(1, 40)));
  const copy = bytes.slice();
  if (copy.length > 0) copy[random.int(0, copy.length - 1)]! ^= 1 << random.int(0, 7);
  return copy;
}

/** A node of an update's tree: honest, a lie, or one that does not open. */
function sumCase(random: Random): Case {
  const world = honestRound(random, { rule: 'fedavg' });
  const { layout } = world;
  const payload = world.payloads[0]!.slice();
  const level = random.int(0, layout.depth);
  const position = random.int(0, 2 ** (layout.depth - level) - 1);
  if (random.int(0, 4) === 0) payload[payload.length - 1] = 1; // the padding, where there is any
  const lies = [0, 1].slice(random.int(0, 2)).map(() => ({
    kind: random.pick(['claim', 'claim', 'leaf'] as const),
    level,
    position,
    delta: random.pick([1n, BigInt(random.u32()), MAX_SUM / 3n]),
  }));
  const shapes = lies.map((lie) =>
    level > 0 || position >= layout.chunkCount ? { ...lie, kind: 'claim' as const } : lie,
  );
  const levels = lyingSumTree(payload, layout, ...shapes);
  const top = levels.at(-1)![0]!;
  let root = toHex(top.hash);
  let normSq = top.sum;
  let opening = openNode(levels, layout.chunkCount, payload, 2 * layout.chunkSize, level, position, shapes.length > 0);
  if (random.int(0, 1) === 1) {
    const { path } = opening;
    const step = path[random.int(0, Math.max(0, path.length - 1))];
    const changes: (() => Partial<SumOpening>)[] = [
      () => ({ level: random.int(0, layout.depth + 1) }),
      () => ({ position: random.int(0, 2 ** (layout.depth - level + 1)) }),
      () => ({ claimedSum: (opening.claimedSum + BigInt(random.int(1, 9))) & MAX_SUM }),
      () => ({ preimage: spoil(random, opening.preimage) }),
      () => ({ preimage: NO_BYTES, hash: toHex(sha256(opening.preimage)) }),
      () => ({ hash: random.hash() }),
      () => ({ path: path.slice(1) }),
      () => ({ path: [...path, { hash: random.hash(), sum: 0n }] }),
      () => ({ path: path.map((s) => (s === step ? { ...s, sum: s.sum ^ (1n << BigInt(random.int(0, 63))) } : s)) }),
      () => ({ path: path.map((s) => (s === step ? { ...s, hash: random.hash() } : s)) }),
      () => {
        root = random.pick([ZERO_HASH, random.hash()]);
        return {};
      },
      () => {
        normSq = normSq > 0n ? normSq - 1n : 1n;
        return {};
      },
    ];
    opening = { ...opening, ...random.pick(changes)() };
  }
  const expected = verdict(() => judgeSumOpening(layout, { root, normSq }, opening));
  return { expected, question: sumQuestion(layout, { root, normSq }, opening) };
}

function openNode(
  levels: readonly (readonly SumNode[])[],
  chunkCount: number,
  payload: Uint8Array,
  chunkBytes: number,
  level: number,
  position: number,
  lying: boolean,
): SumOpening {
  const node = levels[level]![position]!;
  let preimage: Uint8Array = NO_BYTES;
  if (position * 2 ** level < chunkCount) {
    if (level > 0) preimage = sumNodePreimage(levels[level - 1]![2 * position]!, levels[level - 1]![2 * position + 1]!);
    else {
      // The leaf may hash the true sum or the claimed one: whichever is its hash.
      const chunk = payload.subarray(position * chunkBytes, (position + 1) * chunkBytes);
      preimage = sumLeafPreimage(node.sum, chunk);
      for (let k = 0; lying && k < 1 && toHex(sha256(preimage)) !== toHex(node.hash); k++) {
        preimage = sumLeafPreimage(trueSum(chunk), chunk);
      }
    }
  }
  return sumOpening(level, position, node, preimage, pathIn(levels, level, position));
}

function trueSum(chunk: Uint8Array): bigint {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  let sum = 0n;
  for (let k = 0; k < chunk.length; k += 2) sum += BigInt(view.getInt16(k, true)) ** 2n;
  return sum;
}

/** One coordinate of the rule and the step, with any mixing matrix of the rule's shape and any state. */
function coordinateCase(random: Random): Case {
  const rule = randomRule(random);
  const step = randomStep(random, random.pick(SERVER_OPTIMIZERS));
  const planes = stateVectors(step);
  const n = random.int(0, 40) === 0 ? 100 : minimumUpdates(rule) + random.int(0, 6);
  const model = random.int(1, 30);
  const bits = { model, update: random.int(Math.max(1, model - 16), model) };
  const wide = random.int(0, 2);
  const column = Array.from({ length: n }, () =>
    BigInt(wide === 0 ? random.int(-2, 2) : wide === 1 ? random.pick([-32768, 32767]) : random.int(-32768, 32767)),
  );
  let mixing: Uint8Array = NO_BYTES;
  if (needsGram(rule)) {
    const { rows, denominator } = mixingShape(rule, n);
    const weights = Int32Array.from({ length: rows * n }, () =>
      random.int(0, 9) === 0 ? random.u32() | 0 : random.int(0, 1),
    );
    mixing = mixingPreimage({ rows, columns: n, denominator, weights });
  }
  const int32 = () => BigInt(random.pick([2 ** 31 - 1, -(2 ** 31), 0, random.int(-1000, 1000), random.u32() | 0]));
  const weight = int32();
  // Whatever somebody may have published: v of 64 bits, too.
  const u64 = () => random.pick([0n, 1n, 2n ** 62n - 1n, 2n ** 62n, 2n ** 64n - 1n, BigInt(random.u32()) ** 2n]);
  const before = planes === 0 ? NO_STATE : { momentum: int32(), secondMoment: planes === 1 ? 0n : u64() };
  const read = needsGram(rule) ? readMixing(rule, n, mixing) : null;
  const delta = recomputeDelta(rule, bits.model - bits.update, column, read);
  const after = planes === 0 ? NO_STATE : recomputeState(step, before, delta);
  const moved = planes === 0 ? moveByDelta(step, weight, delta) : moveByState(step, bits.model, weight, after);
  const text = (w: bigint, { momentum, secondMoment }: StateCoordinate) => `${w} ${momentum} ${secondMoment}`;
  return {
    expected: text(moved, after),
    question: {
      call: ['nextCoordinate', [fromRule(rule), fromServerStep(step), bits, column, toHex(mixing), weight, before]],
      read: ([next, state]: [bigint, StateCoordinate]) => text(next, state),
    },
  };
}

/** The model by a published state that may be no honest one. */
function movedCase(random: Random): Case {
  const step = randomStep(random, random.pick(SERVER_OPTIMIZERS.filter((optimizer) => optimizer !== 'fedAvg')));
  const fractionBits = random.int(1, 30);
  const weight = BigInt(random.u32() | 0);
  const secondMoment = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const state = {
    momentum: BigInt(random.pick([2 ** 31 - 1, -(2 ** 31), random.u32() | 0])),
    secondMoment: stateVectors(step) === 1 ? 0n : random.pick([secondMoment, secondMoment >> 40n, 0n, 2n ** 64n - 1n]),
  };
  return {
    expected: String(moveByState(step, fractionBits, weight, state)),
    question: {
      call: ['movedByState', [fromServerStep(step), BigInt(fractionBits), weight, state]],
      read: String,
    },
  };
}

/** An opened chunk of an update or of a model, or an opened span. */
async function openingCase(random: Random): Promise<Case> {
  const world = honestRound(random, { rule: 'fedavg' });
  const { layout } = world;
  const [K, depth] = [BigInt(layout.chunkSize), BigInt(layout.depth)];
  const chunk = random.int(0, layout.chunkCount - 1);
  const asked = random.int(0, 5) === 0 ? random.int(0, layout.chunkCount - 1) : chunk;
  const spoiled = random.int(0, 1) === 1;
  const maybe = (bytes: Uint8Array) => (spoiled ? spoil(random, bytes) : bytes);
  const revealed = { ...world.rows[0]!, ...(random.int(0, 9) === 0 ? { root: ZERO_HASH } : {}) };
  const read = updateChunks(world, 0);
  const kind = random.int(0, 2);
  if (kind === 0) {
    const opening = maybe(await openRow(read, layout, chunk));
    return {
      expected: verdict(() => String(rowCoordinate(layout, revealed, asked, 0, opening) !== undefined)),
      question: {
        call: ['verifyUpdateOpening', [toHex(opening), revealed.root, revealed.normSq, K, depth, BigInt(asked)]],
        read: (ok: boolean) => (ok ? 'true' : 'malformed'),
      },
    };
  }
  if (kind === 1) {
    const opening = maybe(await openModelChunk(modelChunks(world, world.model), layout, chunk));
    const { modelRoot } = world.publication;
    return {
      expected: verdict(() => String(modelCoordinate(layout, 'x', modelRoot, asked, 0, opening) !== undefined)),
      question: {
        call: ['verifyModelOpening', [toHex(opening), modelRoot, K, depth, BigInt(asked)]],
        read: (ok: boolean) => (ok ? 'true' : 'malformed'),
      },
    };
  }
  const span = Math.floor(chunk / 16);
  const range = spanRange(layout, Math.floor(asked / 16));
  const opening = maybe(await openSpan(read, layout, span));
  return {
    expected: verdict(() => String(rangeCoordinates(layout, range, revealed, opening).length > 0)),
    question: {
      call: [
        'verifyUpdateRange',
        [toHex(opening), revealed.root, revealed.normSq, K, depth, BigInt(range.position), BigInt(range.count)],
      ],
      read: (ok: boolean) => (ok ? 'true' : 'malformed'),
    },
  };
}

/** A coordinate of an opened chunk, and the product of two. */
async function numbersCase(random: Random): Promise<Case> {
  const world = honestRound(random, { rule: 'fedavg', chunks: 1 });
  const { layout } = world;
  const k = random.int(0, layout.chunkSize - 1);
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (random.int(0, 1) === 0) {
    const opening = await openRow(updateChunks(world, 0), layout, 0);
    return {
      expected: String(rowCoordinate(layout, world.rows[0]!, 0, k, opening)),
      question: { call: ['updateCoordinate', [toHex(opening), BigInt(k)]], read: (value: bigint) => String(value) },
    };
  }
  const [x, y] = [random.update(layout.chunkSize), random.update(layout.chunkSize)].map(
    (v) => new Uint8Array(v.buffer),
  );
  let product = 0n;
  for (let c = 0; c < layout.chunkSize; c++) {
    product += BigInt(view(x!).getInt16(2 * c, true)) * BigInt(view(y!).getInt16(2 * c, true));
  }
  return {
    expected: String(product),
    question: { call: ['innerProduct', [toHex(x!), toHex(y!)]], read: (value: bigint) => String(value) },
  };
}

interface GramScene {
  readonly world: DisputeWorld;
  readonly n: number;
  readonly levels: LyingGramNode[][];
  /** Where the lie is, or would be. */
  readonly lie: GramLie;
  readonly shape: GramShape;
}

type LiePlace = 'entry' | 'leafClaim' | 'nodeClaim' | 'vacancy';

/** A round whose Gram tree has no lie, or one of these. */
function gramScene(random: Random, places: readonly LiePlace[]): GramScene {
  const place = random.pick(places);
  const chunks = place === 'nodeClaim' || place === 'vacancy' ? [33, 40, 70, 75, 90] : [1, 3, 16, 17, 33, 50, 70];
  const honest = honestRound(random, { rule: random.pick(JUDGED_GRAM_RULES), chunks: random.pick(chunks) });
  const { layout } = honest;
  const n = honest.round.validUpdates;
  const spans = gramSpanCount(layout.chunkCount);
  const depth = gramTreeDepth(layout.chunkCount);
  const level = place === 'nodeClaim' ? random.int(1, depth - 1) : 0;
  const position =
    place === 'vacancy' && spans < 2 ** depth
      ? random.int(spans, 2 ** depth - 1)
      : random.int(0, Math.ceil(spans / 2 ** level) - 1);
  const entry = random.int(0, (n * (n + 1)) / 2 - 1);
  const delta = BigInt(random.pick([1, -1, random.int(-1000, 1000) || 1]));
  const kind = place === 'entry' || depth === 0 ? ('entry' as const) : ('claim' as const);
  const lie: GramLie = { kind, level, position, entry, delta };
  const lying = random.int(0, 2) > 0;
  const levels = lyingGramTree(honest.gramPayload!, n, layout, lying ? lie : null);
  const world = republish(honest, { gramRoot: toHex(levels.at(-1)![0]!.hash) });
  return { world, n, levels, shape: shapeOf(layout, world.publication, n), lie };
}

/** Row and column of an entry of the packed upper triangle. */
function entryAt(n: number, entry: number): readonly [number, number] {
  let rest = entry;
  for (let i = 0; ; i++) {
    if (rest < n - i) return [i, i + rest];
    rest -= n - i;
  }
}

const packedPath = (levels: readonly (readonly LyingGramNode[])[], level: number, position: number) =>
  packGramPath(
    pathIn(levels, level, position).map((sibling, l) => ({
      sibling,
      claimed: levels[level + l]![Math.floor(position / 2 ** l)]!.matrixHash,
    })),
  );

async function gramLeafCase(random: Random): Promise<Case> {
  const { world, n, levels, shape, lie } = gramScene(random, ['entry', 'leafClaim']);
  const { round, publication, reveals, layout } = world;
  const aimed = random.int(0, 2) > 0;
  const span = aimed ? lie.position : random.int(0, Math.ceil(layout.chunkCount / 16) - 1);
  const [first, second] = entryAt(n, aimed ? lie.entry : random.int(0, (n * (n + 1)) / 2 - 1));
  const opened = gramAnswer(levels, span);
  const matrix = opened.subarray(0, 4 * n * (n + 1));
  const start = 8 * (first * n - (first * (first - 1)) / 2);
  let proof: BadGramLeafProof = {
    kind: 'badGramLeaf',
    round: NUMBER,
    span,
    first,
    second,
    publication,
    reveals,
    matrix: matrixBytesPreimage(matrix, n),
    row: concatBytes(Uint8Array.of(0x13), matrix.subarray(start, start + 8 * (n - first))),
    path: opened.subarray(4 * n * (n + 1)),
    firstChunks: await openSpan(updateChunks(world, first), layout, span),
    secondChunks: await openSpan(updateChunks(world, second), layout, span),
  };
  if (random.int(0, 2) > 0) {
    const field = random.pick(['matrix', 'row', 'path', 'firstChunks', 'secondChunks'] as const);
    const changes: (() => Partial<BadGramLeafProof>)[] = [
      () => ({ span: random.int(0, Math.ceil(layout.chunkCount / 16)) }),
      () => ({ first: second, second: first }),
      () => ({ second: random.int(0, n - 1) }),
      () => ({ [field]: spoil(random, proof[field]) }),
      () => ({ [field]: spoil(random, proof[field]) }),
    ];
    proof = { ...proof, ...random.pick(changes)() };
  }
  const [x, y] = [world.rows[proof.first]!, world.rows[proof.second]!];
  if (random.int(0, 5) === 0) {
    // A publisher who committed to a matrix, or a row, that is none: the tree is over whatever it is.
    if (random.int(0, 1) === 0) proof = { ...proof, row: spoil(random, proof.row) };
    const start = 1 + 32 * proof.first;
    const matrix = concatBytes(proof.matrix.subarray(0, start), sha256(proof.row), proof.matrix.subarray(start + 32));
    proof = { ...proof, matrix: random.int(0, 1) === 0 ? spoil(random, matrix) : matrix };
    const top = foldGramPath(gramLeafHash(sha256(proof.matrix)), proof.span, wellFormed(proof.path));
    const lying = republish(world, { gramRoot: toHex(top ?? random.bytes(32)) });
    proof = { ...proof, publication: lying.publication };
    return {
      expected: verdict(() => judgeBadGramLeaf(lying.round, proof)),
      question: gramLeafQuestion(proof, shapeOf(layout, lying.publication, n), x, y),
    };
  }
  return { expected: verdict(() => judgeBadGramLeaf(round, proof)), question: gramLeafQuestion(proof, shape, x, y) };
}

/** The whole steps in a path that may have been cut. */
function wellFormed(path: Uint8Array): GramStep[] {
  const steps = Math.floor(path.length / 96);
  return unpackGramPath(path.subarray(0, 96 * steps), steps);
}

function gramNodeCase(random: Random): Case {
  const { world, n, levels, shape, lie } = gramScene(random, ['nodeClaim']);
  const { round, publication, reveals } = world;
  const depth = levels.length - 1;
  const aimed = random.int(0, 2) > 0;
  const level = aimed ? lie.level : random.int(0, depth);
  const position = aimed ? lie.position : random.int(0, 2 ** (depth - level) - 1);
  const [left, right] =
    level > 0
      ? [levels[level - 1]![2 * position]!, levels[level - 1]![2 * position + 1]!]
      : [levels[0]![0]!, levels[0]![0]!];
  let proof: BadGramNodeProof = {
    kind: 'badGramNode',
    round: NUMBER,
    level,
    position,
    publication,
    reveals,
    children: packChildren(left.hash, right.hash, encodeGramMatrix(left.matrix), encodeGramMatrix(right.matrix)),
    path: packedPath(levels, level, position),
  };
  if (random.int(0, 2) === 0) {
    const changes: (() => Partial<BadGramNodeProof>)[] = [
      () => ({ level: random.int(0, depth + 1) }),
      () => ({ position: random.int(0, 2 ** (depth - level)) }),
      () => ({ children: spoil(random, proof.children) }),
      () => ({ path: spoil(random, proof.path) }),
    ];
    proof = { ...proof, ...random.pick(changes)() };
  }
  if (random.int(0, 5) === 0 && proof.level > 0 && proof.level < depth) {
    // A publisher whose sums leave 64 bits, and who hashed what is left of them.
    const extreme = random.pick([2n ** 63n - 1n, -(2n ** 63n)]);
    const matrix = new BigInt64Array((n * (n + 1)) / 2).fill(extreme);
    const children = packChildren(left.hash, right.hash, encodeGramMatrix(matrix), encodeGramMatrix(matrix));
    const claimed = gramMatrixHash(
      matrix.map((value) => value + value),
      n,
    );
    const path = packedPath(levels, level, position).slice();
    path.set(claimed, 64);
    const matrixHash = gramMatrixHash(matrix, n);
    const node = gramNodeHash({ hash: left.hash, matrixHash }, { hash: right.hash, matrixHash });
    const top = foldGramPath(node, position, wellFormed(path))!;
    const lying = republish(world, { gramRoot: toHex(top) });
    proof = { ...proof, level, position, children, path, publication: lying.publication };
    return {
      expected: verdict(() => judgeBadGramNode(lying.round, proof)),
      question: gramNodeQuestion(proof, shapeOf(world.layout, lying.publication, n)),
    };
  }
  return { expected: verdict(() => judgeBadGramNode(round, proof)), question: gramNodeQuestion(proof, shape) };
}

function gramVacancyCase(random: Random): Case {
  const { world, levels, shape, lie } = gramScene(random, ['vacancy']);
  const depth = levels.length - 1;
  const aimed = random.int(0, 2) > 0;
  const level = aimed ? lie.level : random.int(0, Math.max(0, depth - 1));
  const position = aimed ? lie.position : random.int(0, 2 ** (depth - level));
  const node = levels[level]![Math.min(position, levels[level]!.length - 1)]!;
  const hash = random.int(0, 4) === 0 ? random.hash() : toHex(node.hash);
  const right = packedPath(levels, level, position % 2 ** (depth - level));
  const path = random.int(0, 4) === 0 ? spoil(random, right) : right;
  const { publication, round } = world;
  const proof: BadVacancyProof = {
    kind: 'badVacancy',
    round: NUMBER,
    publication,
    tree: 'gram',
    level,
    position,
    hash,
    path,
  };
  return { expected: verdict(() => judgeBadVacancy(round, proof)), question: gramVacancyQuestion(proof, shape) };
}

/** The right matrix for a Gram matrix (that may be a lie itself), or one with something altered. */
async function mixingCase(random: Random): Promise<Case> {
  const honest = honestRound(random, { rule: random.pick(JUDGED_GRAM_RULES), chunks: random.pick([1, 2, 16, 17, 33]) });
  const n = honest.round.validUpdates;
  const tree = await gramTree(spansOf(honest), n, honest.layout);
  let root = await openGramRoot(tree, spansOf(honest), n, honest.layout);
  const lies = random.int(0, 2) === 0;
  const world = lies ? republish(honest, { mixingHash: random.hash() }) : honest;
  const { round, publication, reveals, layout } = world;
  const { rule } = round.parameters;
  const gram = readGramRoot(round, publication, n, root);
  let mixing = mixingPreimage(preAggregate(rule, gram, { ...plainContext(n), seed: round.seed }));
  let nearest = nearestBitmaps(rule, gram);
  const change = random.int(0, 7);
  if (change === 0) mixing = spoil(random, mixing);
  if (change === 1) {
    const at = 9 + 4 * random.int(0, (mixing.length - 9) / 4 - 1) + 3; // a weight's last byte: one or zero
    mixing = mixing.slice();
    mixing[at] = 1 - mixing[at]!;
  }
  if (change === 2)
    nearest = nearest.map((bitmap, i) => (i === 0 ? bitmap ^ (1n << BigInt(random.int(0, n))) : bitmap));
  if (change === 3) nearest = [...nearest, 0n];
  if (change === 4) root = spoil(random, root);
  const proof: BadMixingProof = { kind: 'badMixing', round: NUMBER, publication, reveals, root, mixing, nearest };
  const shape = shapeOf(layout, publication, n);
  return {
    expected: verdict(() => judgeBadMixing(round, proof)),
    question: mixingQuestion(proof, shape, rule, round.seed),
  };
}

/** Any Gram matrix of int64, ties included: the matrix that the rule makes of it is right, and no other is. */
function isRightMixingCase(random: Random): Case {
  const rule = randomRule(random, random.pick(JUDGED_GRAM_RULES));
  const n = minimumUpdates(rule) + random.int(0, 6);
  const size = (n * (n + 1)) / 2;
  const kind = random.int(0, 2);
  const value = () =>
    kind === 0
      ? BigInt(random.int(-2, 2))
      : kind === 1
        ? BigInt(random.u32())
        : BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
  const [left, right] = [0, 1].map(() => BigInt64Array.from({ length: size }, value));
  const values = Array.from(left!, (entry, e) => entry + right![e]!);
  const gram = { n, values };
  const seed = random.hash();
  const made = preAggregate(rule, gram, { ...plainContext(n), seed });
  const weights = made.weights.slice();
  if (random.int(0, 1) === 1) {
    // Exchange one chosen row with one that was left out: the likeliest wrong answer.
    const r = random.int(0, made.rows - 1);
    const [a, b] = [random.int(0, n - 1), random.int(0, n - 1)];
    const at = (i: number) => r * n + i;
    [weights[at(a)], weights[at(b)]] = [weights[at(b)]!, weights[at(a)]!];
  }
  const right_ = mixingPreimage(made);
  const mixing = mixingPreimage({ ...made, weights });
  return {
    expected: String(toHex(mixing) === toHex(right_)),
    question: {
      call: [
        'isRightMixing',
        [
          fromRule(rule),
          BigInt(n),
          toHex(encodeGramMatrix(left!)),
          toHex(encodeGramMatrix(right!)),
          seed,
          toHex(mixing),
          nearestBitmaps(rule, gram),
        ],
      ],
      read: (is: boolean) => String(is),
    },
  };
}

/** An answer to an availability challenge: right, spoilt, for another chunk, or from a tree with a lie. */
async function answerCase(random: Random): Promise<Case> {
  const kind = random.int(0, 2);
  const gram = kind === 2 ? gramScene(random, ['entry', 'leafClaim', 'nodeClaim']) : undefined;
  const world = gram?.world ?? honestRound(random, { rule: 'fedavg' });
  const { layout, publication } = world;
  const count = gram === undefined ? layout.chunkCount : gramSpanCount(layout.chunkCount);
  const chunk = random.int(0, count - 1);
  const asked = random.int(0, 5) === 0 ? random.int(0, count - 1) : chunk;
  const maybe = (bytes: Uint8Array) => (random.int(0, 2) === 0 ? spoil(random, bytes) : bytes);
  const zero = random.int(0, 9) === 0 ? { root: ZERO_HASH } : {};
  const ask = (name: string, opening: Uint8Array, root: Hex, normSq: bigint, rows: number): Question => {
    const what = { root, normSq, chunk: asked, rows, ...zero };
    return {
      call: [name, [toHex(opening), what, BigInt(layout.dimension), BigInt(layout.chunkSize)]],
      read: String,
    };
  };
  if (gram !== undefined) {
    const opening = maybe(gramAnswer(gram.levels, chunk));
    const root = zero.root ?? publication.gramRoot;
    const expected = String(openGramAnswer(root, gram.n, layout, asked, opening) !== null);
    return { expected, question: ask('answersGram', opening, publication.gramRoot, 0n, gram.n) };
  }
  if (kind === 1) {
    const vectors = stateVectors(world.round.parameters.serverStep);
    const inState = world.newState !== null && random.int(0, 1) === 1;
    const chunks = inState ? stateChunks(world, world.newState!) : modelChunks(world, world.model);
    const opening = maybe(await openModelChunk(chunks, layout, chunk));
    const published = inState ? publication.stateRoot : publication.modelRoot;
    const root = zero.root ?? published;
    const whole = inState ? stateLayout(layout, vectors) : layout;
    const expected = String(openModelAnswer(root, whole, asked, opening) !== null);
    const { call, read } = ask('answersModel', opening, published, 0n, 0);
    return { expected, question: { call: [call[0], [...call[1], BigInt(inState ? vectors : 1)]], read } };
  }
  const payload = world.payloads[0]!.slice();
  if (random.int(0, 4) === 0) payload[payload.length - 1] = 1; // the padding, where there is any
  const level = random.int(0, layout.depth);
  const lie = {
    kind: level === 0 && chunk < layout.chunkCount ? random.pick(['claim', 'leaf'] as const) : ('claim' as const),
    level,
    position: level === 0 ? chunk : random.int(0, 2 ** (layout.depth - level) - 1),
    delta: BigInt(random.int(1, 9)),
  };
  const levels = lyingSumTree(payload, layout, ...(random.int(0, 2) === 0 ? [lie] : []));
  const top = levels.at(-1)![0]!;
  const bytes = payload.subarray(chunk * 2 * layout.chunkSize, (chunk + 1) * 2 * layout.chunkSize);
  const opening = maybe(concatBytes(bytes, packSumPath(pathIn(levels, 0, chunk))));
  const commitment = { root: zero.root ?? toHex(top.hash), normSq: top.sum };
  const expected = String(openUpdateAnswer(commitment, layout, asked, opening) !== null);
  return { expected, question: ask('answersUpdate', opening, toHex(top.hash), top.sum, 0) };
}

/** Kinds of cases and how many of a hundred are of each. */
export const CASE_KINDS: readonly (readonly [
  name: string,
  percent: number,
  make: (r: Random) => Case | Promise<Case>,
])[] = [
  ['a node of an update’s tree', 20, sumCase],
  ['a coordinate', 21, coordinateCase],
  ['a coordinate moved by a state', 4, movedCase],
  ['an opening', 6, openingCase],
  ['an answer', 6, answerCase],
  ['numbers of an opening', 5, numbersCase],
  ['a Gram leaf', 10, gramLeafCase],
  ['a Gram node', 6, gramNodeCase],
  ['a Gram vacancy', 4, gramVacancyCase],
  ['a mixing matrix', 8, mixingCase],
  ['a mixing matrix of any Gram matrix', 10, isRightMixingCase],
];

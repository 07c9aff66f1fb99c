/**
 * The libraries of fraud proofs against the protocol's own numbers: openings, sums, mixing, coordinates. Small shapes,
 * many of them; the differential fuzz (test/differential) runs more against protocol/dispute.
 */
import { expect } from 'chai';
import hre from 'hardhat';
import { type Abi, decodeErrorResult, decodeFunctionResult, encodeFunctionData, type Hex, zeroHash } from 'viem';
import { fromRule, fromServerStep } from '../../../chain/convert.ts';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { gramEntry, gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { type Mixing, mixChunk, mixingHash } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { nearestOthers } from '../../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { minimumUpdates, needsGram, parseRule, ruleName } from '../../../protocol/aggregation/rule.ts';
import {
  SERVER_OPTIMIZERS,
  type ServerStep,
  stateVectors,
  stepChunk,
} from '../../../protocol/aggregation/serverStep.ts';
import { GramCommitter, gramMatrixHash } from '../../../protocol/commitment/gramTree.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate, merkleSumKind, payloadChunks, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { concatBytes, toHex, uintBytes } from '../../../protocol/encoding/bytes.ts';
import { type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf, encodeModel, encodeUpdate, viewInt16 } from '../../../protocol/encoding/vectors.ts';
import { JUDGED_RULES } from '../../protocol/support/disputeWorld.ts';
import { preAggregate } from '../../protocol/support/preAggregateRows.ts';
import { ruleOf } from '../../protocol/support/ruleOf.ts';
import {
  fullLevels,
  GramLevels,
  matrixPreimages,
  packModelChunk,
  packTriangle,
  packUpdateChunk,
  packUpdateSpan,
  Randomness,
} from '../support/openings.ts';

// biome-ignore lint/suspicious/noExplicitAny: an answer has the shape of its question
type Answer = any;
type Question = readonly [name: string, args: readonly unknown[]];

const K = 16;
const SEED: Hex = `0x${'5e'.repeat(32)}`;
const randomUpdate = (random: Randomness, layout: VectorLayout, limit = 32768) =>
  encodeUpdate(
    Int16Array.from({ length: layout.dimension }, () => random.between(-limit, limit - 1)),
    layout,
  );
const flipped = (bytes: Uint8Array, position: number): Uint8Array => {
  const copy = new Uint8Array(bytes);
  copy[position] = copy[position]! ^ 1;
  return copy;
};
/** m, and v of its two halves, as the contract's struct `StateCoordinate`. */
const stateOf = (planes: Int32Array | null) => ({
  momentum: BigInt(planes?.[0] ?? 0),
  secondMoment: (BigInt((planes?.[2] ?? 0) >>> 0) << 32n) | BigInt((planes?.[1] ?? 0) >>> 0),
});
const mixingPreimage = (mixing: Mixing): Uint8Array =>
  concatBytes(
    Uint8Array.of(0x20),
    uintBytes(BigInt(mixing.rows), 2),
    uintBytes(BigInt(mixing.columns), 2),
    uintBytes(BigInt(mixing.denominator), 4),
    ...[...mixing.weights].map((weight) => uintBytes(BigInt(weight >>> 0), 4)),
  );

describe('fraud-proof libraries', () => {
  const open = async () => {
    const connection = await hre.network.create();
    const { address, abi } = await connection.viem.deployContract('LibraryHarness');
    const client = await connection.viem.getPublicClient();
    const read = (functionName: string, args: readonly unknown[]): Promise<Answer> =>
      client.readContract({ address, abi: abi as Abi, functionName, args });
    /** The answers, in order; a question that reverted answers `revert: <error>`. */
    const ask = async (questions: readonly Question[]): Promise<Answer[]> => {
      const calls = questions.map(([functionName, args]) =>
        encodeFunctionData({ abi: abi as Abi, functionName, args }),
      );
      const [ok, answers] = await read('batch', [calls]);
      return questions.map(([functionName], i) => {
        const data = (answers as Hex[])[i]!;
        if ((ok as boolean[])[i]) return decodeFunctionResult({ abi: abi as Abi, functionName, data });
        if (data === '0x') return 'revert';
        const errors = [
          ...(abi as Abi),
          { type: 'error', name: 'ProofDoesNotOpen', inputs: [{ name: 'what', type: 'string' }] } as const,
        ];
        const { errorName, args } = decodeErrorResult({ abi: errors, data });
        return `revert: ${errorName} ${args?.join() ?? ''}`.trim();
      });
    };
    return { connection, read, ask };
  };
  let world: Awaited<ReturnType<typeof open>>;
  before(async () => {
    world = await open();
  });
  after(() => world.connection.close());

  it('an update opens at every chunk and every coordinate, and at no other place or byte (C-80)', async () => {
    const random = new Randomness(1);
    for (const dimension of [1, 16, 17, 64, 16 * 9 + 3]) {
      const layout = vectorLayout(dimension, K);
      const payload = randomUpdate(random, layout);
      const { root, normSq } = commitUpdate(payload, layout);
      const question = (opening: Uint8Array, index: number, r: Hex = root, norm = normSq): Question => [
        'verifyUpdateOpening',
        [toHex(opening), r, norm, BigInt(K), BigInt(layout.depth), BigInt(index)],
      ];
      for (let c = 0; c < layout.chunkCount; c++) {
        const opening = packUpdateChunk(payload, layout, c);
        const k = random.below(K);
        const [opens, value, ...refused] = await world.ask([
          question(opening, c),
          ['updateCoordinate', [toHex(opening), BigInt(k)]],
          question(opening, c + 2 ** layout.depth),
          question(opening, c, zeroHash),
          question(opening, c, root, normSq + 1n),
          question(opening.subarray(1), c),
          question(concatBytes(opening, Uint8Array.of(0)), c),
          ...(layout.depth > 0 ? [question(opening, c ^ 1)] : []),
          ...Array.from({ length: 8 }, () => question(flipped(opening, random.below(opening.length)), c)),
        ]);
        expect(opens, `d = ${dimension}, chunk ${c}`).to.equal(true);
        expect(value).to.equal(BigInt(viewInt16(payload)[c * K + k]!));
        expect(
          refused.every((answer) => answer === false),
          `d = ${dimension}, chunk ${c}`,
        ).to.equal(true);
      }
    }
  });

  it('no sum on a path wraps around 2^64 (C-72)', async () => {
    const layout = vectorLayout(2 * K, K);
    const payload = new Uint8Array(K * 4);
    payload[0] = 2;
    const leaf = updateLeaf(payload.subarray(0, 2 * K));
    const sibling = { hash: new Uint8Array(32).fill(7), sum: 2n ** 64n - 4n };
    const preimage = (left: bigint, right: bigint) =>
      concatBytes(Uint8Array.of(1), leaf.hash, uintBytes(left, 8), sibling.hash, uintBytes(right, 8));
    const opening = concatBytes(uintBytes(leaf.sum, 8), payload.subarray(0, 2 * K), sibling.hash);
    const root = toHex(sha256(preimage(leaf.sum, sibling.sum)));
    const args = (sum: bigint, r: Hex, norm: bigint): Question => [
      'verifyUpdateOpening',
      [toHex(concatBytes(opening, uintBytes(sum, 8))), r, norm, BigInt(K), BigInt(layout.depth), 0n],
    ];
    expect(leaf.sum).to.equal(4n);
    const lower = toHex(sha256(preimage(leaf.sum, sibling.sum - 1n)));
    expect(await world.ask([args(sibling.sum, root, 0n), args(sibling.sum - 1n, lower, 2n ** 64n - 1n)])).to.deep.equal(
      [false, true],
    );
  });

  it('a span of chunks opens at its place; the inner product over it is exact (C-80)', async () => {
    const random = new Randomness(2);
    for (const chunks of [1, 2, 3, 5, 15, 16, 17, 33, 47]) {
      const layout = vectorLayout(chunks * K - random.below(K), K);
      const payload = randomUpdate(random, layout);
      const other = randomUpdate(random, layout);
      const { root, normSq } = commitUpdate(payload, layout);
      for (let span = 0; span * 16 < chunks; span++) {
        const count = Math.min(16, chunks - span * 16);
        const opening = packUpdateSpan(payload, layout, span);
        const question = (bytes: Uint8Array, s = span, c = count, r: Hex = root): Question => [
          'verifyUpdateRange',
          [toHex(bytes), r, normSq, BigInt(K), BigInt(layout.depth), BigInt(s), BigInt(c)],
        ];
        const [x, y] = [payload, other].map((bytes) => bytes.subarray(span * 16 * 2 * K, (span * 16 + count) * 2 * K));
        const [opens, product, ...refused] = await world.ask([
          question(opening),
          ['innerProduct', [toHex(x!), toHex(y!)]],
          question(opening, span + 1),
          question(opening, span + 2 ** Math.max(0, layout.depth - 4)),
          question(opening, span, count + 1),
          question(opening.subarray(2 * K + 8), span, count - 1),
          question(opening, span, count, zeroHash),
          question(opening.subarray(1)),
          ...Array.from({ length: 8 }, () => question(flipped(opening, random.below(opening.length)))),
        ]);
        expect(opens, `${chunks} chunks, span ${span}`).to.equal(true);
        const gram = gramOfRows([viewInt16(x!.slice()), viewInt16(y!.slice())]);
        expect(product).to.equal(gramEntry(gram, 0, 1));
        for (const [i, answer] of refused.entries()) {
          expect(answer === false || answer === 'revert', `${chunks} chunks, span ${span}, ${i}`).to.equal(true);
        }
      }
    }
  });

  it('a model opens at every chunk and every coordinate, and at no other place or byte (C-80)', async () => {
    const random = new Randomness(3);
    for (const dimension of [1, 16, 33, 16 * 6]) {
      const layout = vectorLayout(dimension, K);
      const model = Int32Array.from({ length: dimension }, () => random.below(2 ** 32) | 0);
      const payload = encodeModel(model, layout);
      const root = commitModel(model, layout);
      for (let c = 0; c < layout.chunkCount; c++) {
        const opening = packModelChunk(payload, layout, c);
        const question = (bytes: Uint8Array, index = c, r: Hex = root): Question => [
          'verifyModelOpening',
          [toHex(bytes), r, BigInt(K), BigInt(layout.depth), BigInt(index)],
        ];
        const k = random.below(Math.min(K, dimension - c * K));
        const [opens, value, ...refused] = await world.ask([
          question(opening),
          ['modelCoordinate', [toHex(opening), BigInt(k)]],
          question(opening, c + 2 ** layout.depth),
          question(opening, c, zeroHash),
          question(opening.subarray(1)),
          ...Array.from({ length: 8 }, () => question(flipped(opening, random.below(opening.length)))),
        ]);
        expect(opens).to.equal(true);
        expect(value).to.equal(BigInt(model[c * K + k]!));
        expect(refused.every((answer) => answer === false)).to.equal(true);
      }
    }
  });

  it('an honest tree convicts nobody of a bad sum; a lie in any node, leaf or vacancy convicts (C-81)', async () => {
    const random = new Randomness(4);
    for (const dimension of [9, 16, 40, 16 * 5 + 1]) {
      const layout = vectorLayout(dimension, K);
      const payload = randomUpdate(random, layout);
      const { root, normSq } = commitUpdate(payload, layout);
      const chunks = [...payloadChunks(payload, 2 * K)];
      const levels = fullLevels(merkleSumKind, layout.depth, chunks.map(updateLeaf));
      const empty = new Uint8Array(0);
      const leafPreimage = (chunk: Uint8Array, sum: bigint) => concatBytes(Uint8Array.of(0), uintBytes(sum, 8), chunk);
      const nodePreimage = (level: number, p: number) => {
        const [l, r] = [levels[level - 1]![2 * p]!, levels[level - 1]![2 * p + 1]!];
        return concatBytes(Uint8Array.of(1), l.hash, uintBytes(l.sum, 8), r.hash, uintBytes(r.sum, 8));
      };
      const path = (level: number, position: number) => {
        const siblings: { hash: Hex; sum: bigint }[] = [];
        for (let l = level, p = position; l < layout.depth; l++, p >>= 1) {
          const { hash, sum } = levels[l]![p ^ 1]!;
          siblings.push({ hash: toHex(hash), sum });
        }
        return siblings;
      };
      const judge = (opening: object, r: Hex = root, norm = normSq): Question => [
        'judgeSum',
        [opening, r, norm, BigInt(dimension), BigInt(K)],
      ];
      const questions: Question[] = [];
      const expected: [boolean, boolean][] = [];
      const add = (question: Question, opens: boolean, guilty: boolean) => {
        questions.push(question);
        expected.push([opens, guilty]);
      };
      /** The root that follows when the node at (level, position) is replaced, and nothing else. */
      const rootWith = (level: number, position: number, hash: Uint8Array, sum: bigint) => {
        let node = { hash, sum };
        for (let l = level, p = position; l < layout.depth; l++, p >>= 1) {
          const sibling = levels[l]![p ^ 1]!;
          node = p % 2 === 0 ? merkleSumKind.join(node, sibling) : merkleSumKind.join(sibling, node);
        }
        return { root: toHex(node.hash), normSq: node.sum };
      };
      for (let level = 0; level <= layout.depth; level++) {
        for (let position = 0; position < 2 ** (layout.depth - level); position++) {
          const { hash, sum } = levels[level]![position]!;
          const vacant = position * 2 ** level >= layout.chunkCount;
          const preimage = vacant
            ? empty
            : level === 0
              ? leafPreimage(chunks[position]!, sum)
              : nodePreimage(level, position);
          const opening = {
            level,
            position,
            claimedSum: sum,
            preimage: toHex(preimage),
            hash: toHex(hash),
            path: path(level, position),
          };
          add(judge(opening), true, false);
          add(judge({ ...opening, claimedSum: sum + 1n }), false, false);
          add(judge({ ...opening, path: [...opening.path, { hash: zeroHash, sum: 0n }] }), false, false);
          add(judge({ ...opening, position: position + 2 ** (layout.depth - level) }), false, false);
          add(judge({ ...opening, level: layout.depth + 1 }), false, false);
          if (!vacant) add(judge({ ...opening, preimage: '0x' }), false, false);
          // The same node with a sum that is a lie.
          const lie = rootWith(level, position, hash, sum + 5n);
          add(judge({ ...opening, claimedSum: sum + 5n }, lie.root, lie.normSq), true, true);
          // Something else where the node was: shown as a preimage that is no node, or standing in a vacancy.
          const odd = random.bytes(70);
          const other = rootWith(level, position, sha256(odd), sum);
          add(judge({ ...opening, preimage: toHex(odd) }, other.root, other.normSq), true, true);
          if (vacant) {
            const occupied = rootWith(level, position, sha256(odd), 0n);
            const at = { ...opening, hash: toHex(sha256(odd)) };
            add(judge(at, occupied.root, occupied.normSq), true, true);
          }
        }
      }
      // Leaves: a sum in the leaf that is not the claimed one, a wrong length, and padding that is not zero.
      const last = layout.chunkCount - 1;
      const leaf = (bytes: Uint8Array, sum: bigint) => {
        const lie = rootWith(0, last, sha256(bytes), sum);
        const opening = {
          level: 0,
          position: last,
          claimedSum: sum,
          preimage: toHex(bytes),
          hash: zeroHash,
          path: path(0, last),
        };
        return judge(opening, lie.root, lie.normSq);
      };
      const { sum } = levels[0]![last]!;
      add(leaf(leafPreimage(chunks[last]!, sum + 1n), sum), true, true);
      add(leaf(leafPreimage(chunks[last]!, sum + 1n), sum + 1n), true, true);
      add(leaf(leafPreimage(chunks[last]!.subarray(0, 2 * K - 2), sum), sum), true, true);
      if (dimension % K !== 0) {
        const padded = new Uint8Array(chunks[last]!);
        padded[2 * K - 2] = 3;
        add(leaf(leafPreimage(padded, sum + 9n), sum + 9n), true, true);
      }
      expect(await world.ask(questions)).to.deep.equal(expected);
    }
  });

  it('what stands beyond the last chunk is known for every tree and level (C-86)', async () => {
    const zeros = fullLevels(merkleSumKind, 6, []);
    for (let level = 0; level <= 6; level++) {
      expect(await world.read('vacantUpdateNode', [BigInt(level)])).to.equal(toHex(zeros[level]![0]!.hash));
    }
    let model = new Uint8Array(32);
    for (let level = 0; level <= 6; level++) {
      expect(await world.read('vacantModelNode', [BigInt(level)])).to.equal(toHex(model));
      model = new Uint8Array(sha256(concatBytes(Uint8Array.of(3), model, model)));
    }
    for (const n of [1, 3, 8]) {
      const tree = new GramLevels([], n);
      const matrix = gramMatrixHash(new BigInt64Array((n * (n + 1)) / 2), n);
      let node = new Uint8Array(32);
      for (let level = 0; level <= 4; level++) {
        expect(await world.read('vacantGramNode', [BigInt(level), BigInt(n)])).to.deep.equal([
          toHex(node),
          toHex(matrix),
        ]);
        node = new Uint8Array(sha256(concatBytes(Uint8Array.of(0x11), node, matrix, node, matrix)));
      }
      expect(toHex(tree.nodes[0]![0]!.claimed)).to.equal(toHex(matrix));
    }
  });

  it('a Gram tree: matrices, their sums to the last bit of an i64, and paths (C-82)', async () => {
    const random = new Randomness(5);
    const i64 = () => BigInt.asIntN(64, BigInt(random.below(2 ** 32)) * 2n ** 31n + BigInt(random.below(2 ** 31)));
    for (const n of [1, 2, 5, 12]) {
      const length = (n * (n + 1)) / 2;
      const matrix = () => BigInt64Array.from({ length }, () => i64() / 4n);
      const [left, right] = [matrix(), matrix()];
      const sum = left.map((value, i) => value + right[i]!);
      const args = (l: BigInt64Array, r: BigInt64Array): Question => [
        'gramSumHash',
        [toHex(packTriangle(l)), toHex(packTriangle(r)), BigInt(n)],
      ];
      const max = 2n ** 63n - 1n;
      const high = BigInt64Array.from({ length }, () => max);
      const low = BigInt64Array.from({ length }, () => -max - 1n);
      const oneOnly = BigInt64Array.from({ length }, (_, i) => (i === length - 1 ? 1n : 0n));
      const none = new BigInt64Array(length);
      const [hash, total, edge, over, under] = await world.ask([
        ['gramMatrixHash', [toHex(packTriangle(left)), BigInt(n)]],
        args(left, right),
        args(high, none),
        args(high, oneOnly),
        args(
          low,
          oneOnly.map((value) => -value),
        ),
      ]);
      expect(hash).to.equal(toHex(gramMatrixHash(left, n)));
      expect(total).to.deep.equal([toHex(gramMatrixHash(sum, n)), true]);
      expect(edge).to.deep.equal([toHex(gramMatrixHash(high, n)), true]);
      expect([over[1], under[1]]).to.deep.equal([false, false]);

      const spans = Array.from({ length: 5 }, matrix);
      const tree = new GramLevels(spans, n);
      const committer = new GramCommitter(n, 5 * 16);
      for (const span of spans) committer.appendSpan(span);
      expect(tree.root).to.equal(committer.finish().gramRoot);
      for (let level = 0; level < tree.depth; level++) {
        for (let p = 0; p < tree.nodes[level]!.length; p++) {
          const from = toHex(tree.nodes[level]![p]!.hash);
          const climbed = await world.read('climbGram', [from, BigInt(p), toHex(tree.path(level, p))]);
          expect(climbed).to.equal(tree.root);
        }
      }
    }
  });

  it('the mixing matrix of every rule is recognised, ties included; any other is not (C-85)', async () => {
    const random = new Randomness(6);
    for (let i = 0; i < 60; i++) {
      const krum = i % 2 === 0;
      const f = random.below(3);
      const n = (krum ? 2 * f + 3 : 2 * f + 1) + random.below(6);
      const selected = krum ? random.below(n - f + 1) : 0;
      const rule = ruleOf(krum ? 'multiKrum' : 'nearestNeighborMixing', 'mean', f, selected);
      // Few different values: many equal distances and equal scores.
      const rows = Array.from({ length: n }, () => Int16Array.from({ length: 3 }, () => random.between(-1, 1) * 1000));
      const gram = gramOfRows(rows);
      const part = gram.values.map((value) => value / 3n);
      const rest = gram.values.map((value, k) => value - part[k]!);
      const mixing = preAggregate(rule, gram);
      const nearest = krum
        ? rows.map((_, row) =>
            nearestOthers(gram, row)
              .slice(0, n - f - 2)
              .reduce((bits, j) => bits | (1n << BigInt(j)), 0n),
          )
        : [];
      const question = (preimage: Uint8Array, hints = nearest, right = rest): Question => [
        'isRightMixing',
        [
          fromRule(rule),
          BigInt(n),
          toHex(packTriangle(part)),
          toHex(packTriangle(right)),
          SEED,
          toHex(preimage),
          hints,
        ],
      ];
      const preimage = mixingPreimage(mixing);
      expect(toHex(sha256(preimage))).to.equal(mixingHash(mixing));
      const swapped = (() => {
        // Another row, or another column of a row.
        const weights = mixing.weights.slice();
        const r = random.below(mixing.rows);
        const [a, b] = [random.below(n), random.below(n)];
        [weights[r * n + a], weights[r * n + b]] = [weights[r * n + b]!, weights[r * n + a]!];
        return weights.some((weight, k) => weight !== mixing.weights[k])
          ? mixingPreimage({ ...mixing, weights })
          : null;
      })();
      const wrongHints = nearest.map((bits, row) => (row === 0 ? bits ^ 1n : bits));
      const [right, ...wrong] = await world.ask([
        question(preimage),
        question(flipped(preimage, random.below(preimage.length))),
        question(preimage.subarray(0, preimage.length - 1)),
        question(concatBytes(preimage, new Uint8Array(4))),
        ...(krum ? [question(preimage, []), question(preimage, wrongHints)] : [question(preimage, [0n])]),
        ...(swapped === null ? [] : [question(swapped)]),
      ]);
      expect(right, `${ruleName(rule)}, n = ${n}, f = ${f}, m = ${selected}`).to.equal(true);
      expect(
        wrong.every((answer) => answer === false),
        `${ruleName(rule)}, n = ${n}, f = ${f}`,
      ).to.equal(true);
    }
  });

  it('one coordinate is what the protocol computes, for every rule and step, to the ends of the range (C-88 C-152)', async () => {
    const random = new Randomness(7);
    const questions: Question[] = [];
    const expected: object[] = [];
    for (let i = 0; i < 600; i++) {
      const parsed = parseRule(JUDGED_RULES[i % JUDGED_RULES.length]!, random.below(4));
      const n = minimumUpdates(parsed) + random.below(8);
      const rule =
        ruleName(parsed) === 'multi-krum' ? { ...parsed, selected: random.below(n - parsed.byzantine + 1) } : parsed;
      const extreme = random.below(4) === 0;
      const column = Array.from({ length: n }, () =>
        extreme ? random.pick([-32768, 32767]) : random.between(-40, 40),
      );
      const rows = column.map((value) => Int16Array.of(value));
      const mixing = needsGram(rule) ? preAggregate(rule, gramOfRows(rows)) : null;
      const mixed = mixing === null ? rows : mixChunk(mixing, rows);
      const optimizer = random.pick(SERVER_OPTIMIZERS);
      const decays = optimizer === 'fedAdam' || optimizer === 'fedYogi';
      const step: ServerStep = {
        optimizer,
        learningRateQ16: random.pick([1, 65536, 40000, 2 ** 20]),
        momentumQ16: optimizer === 'fedAvg' ? 0 : random.pick([0, 58982, 65535]),
        secondMomentQ16: decays ? random.pick([0, 64881, 65535]) : 0,
        adaptivity: decays || optimizer === 'fedAdagrad' ? random.pick([1, 16777, 2 ** 32 - 1]) : 0,
      };
      const ends = [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1];
      const some = (size: number) => (extreme ? random.pick(ends) : random.between(-size, size));
      const model = Int32Array.of(some(1e6));
      const planes = stateVectors(step);
      const high = extreme ? random.pick([0, 1, 2 ** 30 - 1]) : random.below(9);
      const state = planes === 0 ? null : Int32Array.of(...[some(1e5), some(1e9), high].slice(0, planes));
      const shift = random.pick([0, 8, 16]);
      const bits = { modelFractionBits: 24, updateFractionBits: 24 - shift };
      questions.push([
        'nextCoordinate',
        [
          fromRule(rule),
          fromServerStep(step),
          { model: 24n, update: BigInt(24 - shift) },
          column.map(BigInt),
          toHex(mixing === null ? new Uint8Array(0) : mixingPreimage(mixing)),
          BigInt(model[0]!),
          stateOf(state),
        ],
      ]);
      const denominator = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
      stepChunk(step, model, state, combineChunk(rule.combine, rule.byzantine, mixed), denominator, bits);
      expected.push([BigInt(model[0]!), stateOf(state)]);
    }
    expect(await world.ask(questions)).to.deep.equal(expected);
  });

  it('the state of a coordinate is read from every vector of an opened chunk (C-152)', async () => {
    const random = new Randomness(8);
    for (const planes of [1, 3]) {
      const state = Int32Array.from({ length: planes * K }, () => random.below(2 ** 32) | 0);
      const questions = Array.from(
        { length: K },
        (_, k): Question => ['stateCoordinate', [toHex(bytesOf(state)), BigInt(planes), BigInt(K), BigInt(k)]],
      );
      const expected = Array.from({ length: K }, (_, k) =>
        stateOf(Int32Array.from({ length: planes }, (_plane, plane) => state[plane * K + k]!)),
      );
      expect(await world.ask(questions)).to.deep.equal(expected);
    }
  });

  it('inner products are exact at the ends of int16', async () => {
    const low = bytesOf(new Int16Array(4096).fill(-32768));
    const high = bytesOf(new Int16Array(4096).fill(32767));
    const answers = await world.ask([
      ['innerProduct', [toHex(low), toHex(low)]],
      ['innerProduct', [toHex(low), toHex(high)]],
    ]);
    expect(answers).to.deep.equal([4096n * 2n ** 30n, -4096n * 32768n * 32767n]);
  });

  it('matrix preimages of the support code are the protocol’s', () => {
    const matrix = BigInt64Array.of(5n, -1n, 10n);
    expect(toHex(sha256(matrixPreimages(matrix, 2).matrix))).to.equal(toHex(gramMatrixHash(matrix, 2)));
  });
});

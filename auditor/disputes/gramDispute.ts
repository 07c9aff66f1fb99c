/** A Gram matrix, or a mixing matrix made of it, that is not what the updates lead to. */
import { addGramChunk, gramIndex } from '../../protocol/aggregation/gram.ts';
import {
  encodeGramMatrix,
  GRAM_SPAN,
  type GramClaim,
  gramMatrixBytes,
  gramPayloadLength,
  gramSpanCount,
} from '../../protocol/commitment/gramTree.ts';
import { type GramStep, packGramPath } from '../../protocol/commitment/openings.ts';
import type { WholeTree } from '../../protocol/commitment/perfectTree.ts';
import { buildBadGramLeaf, buildBadGramLeafOf, openSpan } from '../../protocol/dispute/badGramLeaf.ts';
import { buildBadGramNode, packChildren } from '../../protocol/dispute/badGramNode.ts';
import { buildBadMixing } from '../../protocol/dispute/badMixing.ts';
import { buildBadVacancy } from '../../protocol/dispute/badVacancy.ts';
import { nextGramSpan, type VerifiedNode } from '../../protocol/dispute/descend.ts';
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import { chunksOf, gramNodeMatrix, gramTree, type ReadChunk } from '../../protocol/dispute/trees.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { isCidText } from '../payloads/cidText.ts';
import { answersAbout } from './answers.ts';
import type { Dispute } from './dispute.ts';
import { type Material, vectorChunks } from './material.ts';
import { againstAggregator, askAggregator } from './question.ts';

/** The published Gram root is wrong: the entry that is, from the leaves as they were served or answered. */
export async function gramDispute(material: Material): Promise<Dispute[]> {
  const { context, computed, disputed, published, reveals, round } = material;
  const { layout } = context;
  const n = computed!.input.rows.length;
  const right = rightSpans(material);
  const served = await servedSpans(material, n);
  if (served === null) return descend(material, right);
  const { tree, readSpan } = served;
  for (let span = 0; span < gramSpanCount(layout.chunkCount); span++) {
    const place = firstWrongEntry(n, await right(span), await readSpan(span));
    if (place === null) continue;
    const [first, second] = place.map((row) => vectorChunks(computed!.input.rows[row]!, layout.chunkSize));
    const sources = { tree, readSpan, first: first!, second: second! };
    const at = { span, first: place[0], second: place[1] };
    const proof = await buildBadGramLeaf(disputed, round.round, published.publication, reveals, at, sources);
    return againstAggregator(material, proof);
  }
  return [];
}

/** The Gram root is right, so its children are the ones computed here. */
export async function mixingDispute(material: Material): Promise<Dispute[]> {
  const { context, computed, disputed, published, reveals, round } = material;
  const { layout } = context;
  const n = computed!.input.rows.length;
  const right = rightSpans(material);
  const tree = await gramTree(right, n, layout);
  const root = tree.depth === 0 ? await right(0) : await rightChildren(material, right, tree, tree.depth, 0);
  return againstAggregator(material, buildBadMixing(disputed, round.round, published.publication, reveals, root));
}

/** The matrices that the Gram tree's leaves should hold. */
function rightSpans({ context: { layout }, computed }: Material): ReadChunk {
  const { rows } = computed!.input;
  const { chunkSize, chunkCount } = layout;
  return (span) => {
    const values = new BigInt64Array((rows.length * (rows.length + 1)) / 2);
    const end = Math.min(chunkCount, (span + 1) * GRAM_SPAN);
    for (let chunk = span * GRAM_SPAN; chunk < end; chunk++) {
      const [from, to] = [chunk * chunkSize, (chunk + 1) * chunkSize];
      addGramChunk(
        values,
        rows.map((row) => row.subarray(from, to)),
      );
    }
    return encodeGramMatrix(values);
  };
}

/** The published tree, when the bytes under the evidence's CID are its leaves. */
async function servedSpans(
  { context, evidence, published }: Material,
  n: number,
): Promise<{ readonly tree: WholeTree<GramClaim>; readonly readSpan: ReadChunk } | null> {
  const cid = evidence?.gramCid ?? null;
  if (cid === null || !isCidText(cid)) return null;
  const length = gramPayloadLength(n, context.layout.chunkCount);
  const request = { cid, exactBytes: length, maxBytes: length, owner: published.aggregator };
  const payload = await context.payloads.read(request);
  if (payload.status !== 'found') return null;
  const readSpan = chunksOf(payload.bytes, gramMatrixBytes(n));
  const tree = await gramTree(readSpan, n, context.layout);
  return toHex(tree.root.hash) === published.publication.gramRoot ? { tree, readSpan } : null;
}

/** The leaves are not to be had: what the answers so far prove, or which leaf to ask for. */
async function descend(material: Material, right: ReadChunk): Promise<Dispute[]> {
  const { context, computed, published, answers } = material;
  const { layout } = context;
  const { gramRoot } = published.publication;
  const n = computed!.input.rows.length;
  const known = await gramTree(right, n, layout);
  const openings = answersAbout(answers, 'gram');
  const next = nextGramSpan(layout, n, gramRoot, known, openings);
  if (next.kind === 'known') return [];
  if (next.kind === 'ask') {
    const why = 'The published Gram matrix is wrong, and the leaves of its tree are not served.';
    return askAggregator(material, 'gram', next.chunk, why);
  }
  const { at } = next;
  if (at.position * 2 ** at.level >= gramSpanCount(layout.chunkCount)) {
    return againstAggregator(material, vacancy(material, at));
  }
  if (at.level > 0) {
    const { disputed, reveals, round } = material;
    const children = await rightChildren(material, right, known, at.level, at.position);
    const path = packGramPath(at.path);
    const proof = buildBadGramNode(disputed, round.round, published.publication, reveals, at, children, path);
    return againstAggregator(material, proof);
  }
  const answered = openings.get(at.position)?.subarray(0, gramMatrixBytes(n));
  return againstAggregator(
    material,
    await leaf(material, right, at, next.differing.includes(at.position) ? answered : undefined),
  );
}

function vacancy({ disputed, round, published }: Material, at: VerifiedNode<GramClaim, GramStep>): FraudProof | null {
  const { level, position, node, path } = at;
  const { publication } = published;
  const proof = { round: round.round, publication, tree: 'gram', level, position, hash: toHex(node.hash) } as const;
  return buildBadVacancy(disputed, { ...proof, path: packGramPath(path) });
}

/** A leaf whose answered matrix is wrong; or, with the right one in it, a leaf for which another is claimed. */
async function leaf(
  { context, computed, disputed, published, reveals, round }: Material,
  right: ReadChunk,
  { position: span, path }: VerifiedNode<GramClaim, GramStep>,
  answered: Uint8Array | undefined,
): Promise<FraudProof | null> {
  const { rows } = computed!.input;
  const expected = await right(span);
  const matrix = answered ?? expected;
  const [first, second] = firstWrongEntry(rows.length, expected, matrix) ?? [0, 0];
  const open = (row: 0 | 1): Promise<Uint8Array> => {
    const source = vectorChunks(rows[row === 0 ? first : second]!, context.layout.chunkSize);
    return openSpan(source, context.layout, span);
  };
  const place = { span, first, second };
  const { publication } = published;
  return buildBadGramLeafOf(disputed, round.round, publication, reveals, place, matrix, packGramPath(path), open);
}

async function rightChildren(
  { context: { layout }, computed }: Material,
  right: ReadChunk,
  tree: WholeTree<GramClaim>,
  level: number,
  position: number,
): Promise<Uint8Array> {
  const n = computed!.input.rows.length;
  const below = level - 1;
  const matrix = async (child: number) => encodeGramMatrix(await gramNodeMatrix(right, n, layout, below, child));
  const [l, r] = [2 * position, 2 * position + 1];
  return packChildren(tree.node(below, l).hash, tree.node(below, r).hash, await matrix(l), await matrix(r));
}

/** The rows of the first entry at which two matrices of n rows differ. */
function firstWrongEntry(n: number, right: Uint8Array, claimed: Uint8Array): readonly [number, number] | null {
  const [a, b] = [right, claimed].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const at = 8 * gramIndex(n, i, j);
      if (a!.getBigInt64(at) !== b!.getBigInt64(at)) return [i, j];
    }
  }
  return null;
}

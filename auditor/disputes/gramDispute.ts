/** A Gram matrix, or a mixing matrix made of it, that is not what the updates lead to. */
import { type GramClaim, gramMatrixBytes, gramPayloadLength } from '../../protocol/commitment/gramTree.ts';
import type { WholeTree } from '../../protocol/commitment/perfectTree.ts';
import { buildBadGramLeaf } from '../../protocol/dispute/badGramLeaf.ts';
import { buildBadMixing } from '../../protocol/dispute/badMixing.ts';
import { nextGramSpan } from '../../protocol/dispute/descend.ts';
import { findWrongGramEntry, gramProofAt, openGramRoot } from '../../protocol/dispute/provenLies.ts';
import { gramTree, type ReadChunk } from '../../protocol/dispute/trees.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { isCidText } from '../payloads/cidText.ts';
import { chunksOfPayload, type Payload } from '../payloads/payload.ts';
import { answersAbout } from './answers.ts';
import type { Dispute } from './dispute.ts';
import { type Material, vectorChunks } from './material.ts';
import { againstAggregator, askAggregator } from './question.ts';

/** The published Gram root is wrong: the entry that is, from the leaves as they were served or answered. */
export async function gramDispute(material: Material): Promise<Dispute[]> {
  const { context, computed, disputed, published, reveals, round } = material;
  const { layout } = context;
  const rows = computed!.input.rows.map((row) => vectorChunks(row, layout));
  const right = rightSpans(material);
  const served = await servedSpans(material);
  if (served === null) return descend(material, right, rows);
  try {
    const place = await findWrongGramEntry(rows.length, layout, right, served.readSpan);
    if (place === null) return [];
    const { tree, readSpan } = served;
    const sources = { tree, readSpan, first: rows[place.first]!, second: rows[place.second]! };
    const proof = await buildBadGramLeaf(disputed, round.round, published.publication, reveals, place, sources);
    return againstAggregator(material, proof);
  } finally {
    await served.payload.release();
  }
}

/** The Gram root is right, so the tree is the one computed here. */
export async function mixingDispute(material: Material): Promise<Dispute[]> {
  const { context, computed, disputed, published, reveals, round } = material;
  const n = computed!.input.rows.length;
  const right = rightSpans(material);
  const root = await openGramRoot(await gramTree(right, n, context.layout), right, n, context.layout);
  return againstAggregator(material, buildBadMixing(disputed, round.round, published.publication, reveals, root));
}

/** The matrices that the Gram tree's leaves should hold. */
function rightSpans({ computed }: Material): ReadChunk {
  const { gramPayload, gram } = computed!.replay;
  return chunksOfPayload(gramPayload!, gramMatrixBytes(gram!.n));
}

interface ServedSpans {
  readonly tree: WholeTree<GramClaim>;
  readonly readSpan: ReadChunk;
  /** To be released. */
  readonly payload: Payload;
}

/** The published tree, when the bytes under the evidence's CID are its leaves. */
async function servedSpans({ context, computed, evidence, published }: Material): Promise<ServedSpans | null> {
  const cid = evidence?.gramCid ?? null;
  if (cid === null || !isCidText(cid)) return null;
  const n = computed!.input.rows.length;
  const length = gramPayloadLength(n, context.layout.chunkCount);
  const request = { cid, exactBytes: length, maxBytes: length, owner: published.aggregator };
  const payload = await context.payloads.read(request);
  if (payload.status !== 'found') return null;
  const readSpan = chunksOfPayload(payload.payload, gramMatrixBytes(n));
  const tree = await gramTree(readSpan, n, context.layout);
  if (toHex(tree.root.hash) === published.publication.gramRoot) return { tree, readSpan, payload: payload.payload };
  await payload.payload.release();
  return null;
}

/** The leaves are not to be had: what the answers so far prove, or which leaf to ask for. */
async function descend(material: Material, right: ReadChunk, rows: readonly ReadChunk[]): Promise<Dispute[]> {
  const { context, disputed, published, reveals, round } = material;
  const { publication } = published;
  const known = await gramTree(right, rows.length, context.layout);
  const answers = answersAbout(material.answers, 'gram');
  const next = nextGramSpan(context.layout, rows.length, publication.gramRoot, known, answers);
  if (next.kind === 'known') return [];
  if (next.kind === 'ask') {
    const why = 'The published Gram matrix is wrong, and the leaves of its tree are not served.';
    return askAggregator(material, 'gram', next.chunks, why);
  }
  const truth = { known, readSpan: right, rows };
  const proof = await gramProofAt(disputed, round.round, publication, reveals, truth, next.at, answers);
  return againstAggregator(material, proof);
}

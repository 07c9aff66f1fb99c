/** A published model or server state that is not what rule and step make of the updates: one coordinate shows it. */
import { mixingPreimage } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { openModelAnswer } from '../../protocol/commitment/openings.ts';
import { buildBadCoordinate, type CoordinateSources } from '../../protocol/dispute/badCoordinate.ts';
import { nextModelChunk } from '../../protocol/dispute/descend.ts';
import { findFirstDivergence } from '../../protocol/dispute/findFirstDivergence.ts';
import { badVacancyAt } from '../../protocol/dispute/provenLies.ts';
import { modelTree, type ReadChunk } from '../../protocol/dispute/trees.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { viewInt32 } from '../../protocol/encoding/vectors.ts';
import { treeLayout } from '../../protocol/round/parameters.ts';
import type { Payload } from '../payloads/payload.ts';
import type { Snapshot } from '../payloads/snapshots.ts';
import { firstDivergence } from '../replay/divergence.ts';
import { answersAbout } from './answers.ts';
import type { Dispute } from './dispute.ts';
import { previousPublication } from './disputedRound.ts';
import { type Material, vectorChunks } from './material.ts';
import { againstAggregator, askAggregator } from './question.ts';

type VectorKind = 'model' | 'state';

/** `kind` is the vector whose root is wrong; both may be: then the state, from which the model follows. */
export async function vectorDispute(material: Material, kind: VectorKind): Promise<Dispute[]> {
  const right = rightVector(material, kind);
  const published = publishedVector(material, kind);
  if (published === null) return descend(material, kind, right);
  const place = await firstDivergence(material.round.round, material.context.layout, right, published);
  return place === null ? descend(material, kind, right) : coordinateDispute(material, kind, place.coordinate);
}

/**
 * The model is the right one but for its bytes, which nobody serves: whoever published owes them. One chunk is asked
 * for, once: who answers is there.
 */
export function askForModel(material: Material): Dispute[] {
  const { context, published } = material;
  const opening = answersAbout(material.answers, 'model').get(0);
  const { modelRoot } = published.publication;
  if (opening !== undefined && openModelAnswer(modelRoot, context.layout, 0, opening) !== null) return [];
  return askAggregator(material, 'model', [0], 'The published model could not be had from any source.');
}

function rightVector({ computed }: Material, kind: VectorKind): Payload {
  return kind === 'model' ? computed!.replay.model : computed!.replay.state!;
}

function rootOf({ published }: Material, kind: VectorKind): Hex {
  return kind === 'model' ? published.publication.modelRoot : published.publication.stateRoot;
}

/** What was published, when its bytes are there. */
function publishedVector(material: Material, kind: VectorKind): Payload | null {
  const snapshot: Snapshot | null = kind === 'model' ? material.model : material.state;
  return snapshot?.status === 'found' && snapshot.root === rootOf(material, kind) ? snapshot.payload : null;
}

/** The published bytes are not to be had: what the answers so far prove, or which chunk to ask for. */
async function descend(material: Material, kind: VectorKind, right: Payload): Promise<Dispute[]> {
  const { layout } = material.context;
  const wholeLayout = treeLayout(material.disputed.parameters, kind);
  const root = rootOf(material, kind);
  const read = vectorChunks(right, layout);
  const known = await modelTree(read, layout);
  const openings = answersAbout(material.answers, kind);
  const next = nextModelChunk(wholeLayout, root, known, openings);
  const [chunk] = next.differing;
  if (chunk !== undefined) {
    const leafBytes = right.length / layout.chunkCount;
    const answered = viewInt32(openings.get(chunk)!.slice(0, leafBytes));
    const planes = leafBytes / (4 * layout.chunkSize);
    const range = { chunk, planes };
    const place = findFirstDivergence(material.round.round, layout, viewInt32(await read(chunk)), answered, range);
    return coordinateDispute(material, kind, place!.coordinate);
  }
  if (next.kind === 'known') return [];
  if (next.kind === 'ask') {
    const why = `The published ${kind === 'model' ? 'model' : 'server state'} is wrong, and its bytes are not served.`;
    return askAggregator(material, kind, next.chunks, why);
  }
  const { disputed, round, published } = material;
  return againstAggregator(material, badVacancyAt(disputed, round.round, published.publication, kind, next.at));
}

/**
 * The proof for a coordinate at which the vector is wrong; or the opening that it still lacks. The model of a step with
 * state is judged by the published state, which is right here: a wrong one is disputed first.
 */
async function coordinateDispute(material: Material, kind: VectorKind, coordinate: number): Promise<Dispute[]> {
  const { context, computed, disputed, published, reveals, round } = material;
  const { input, replay } = computed!;
  const { layout } = context;
  const wrong = publishedChunks(material, kind, Math.floor(coordinate / layout.chunkSize));
  if (wrong === null) {
    const why = `A coordinate of the ${kind} is wrong, and the chunk that shows it is not served.`;
    return askAggregator(material, kind, [Math.floor(coordinate / layout.chunkSize)], why);
  }
  const chunks = (vector: Payload) => vectorChunks(vector, layout);
  const previous = previousPublication(round);
  const sources: CoordinateSources = {
    rows: input.rows.map(chunks),
    base: chunks(input.base),
    model: kind === 'model' ? wrong : new Uint8Array(0), // a proof about the state does not look at the model
    oldState: previous === null || input.state === null ? null : chunks(input.state),
    newState: kind === 'state' ? wrong : replay.state === null ? null : chunks(replay.state),
    mixing: replay.mixing === null ? null : mixingPreimage(replay.mixing),
  };
  const { publication } = published;
  return againstAggregator(
    material,
    await buildBadCoordinate(disputed, round.round, publication, previous, reveals, coordinate, sources),
  );
}

/** The published vector, or an opening of that chunk that somebody answered with. */
function publishedChunks(material: Material, kind: VectorKind, chunk: number): ReadChunk | Uint8Array | null {
  const { layout } = material.context;
  const vector = publishedVector(material, kind);
  if (vector !== null) return vectorChunks(vector, layout);
  const wholeLayout = treeLayout(material.disputed.parameters, kind);
  const opening = answersAbout(material.answers, kind).get(chunk);
  const opens = opening !== undefined && openModelAnswer(rootOf(material, kind), wholeLayout, chunk, opening) !== null;
  return opens ? opening : null;
}

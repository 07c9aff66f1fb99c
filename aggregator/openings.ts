/**
 * What this node can open when the contract asks: its publications, and every update whose payload it holds, so that a
 * participant that is down for a moment is not convicted of silence.
 */
import type { ChallengeState, OpenedChallenge } from '../chain/challenges.ts';
import { gramMatrixBytes } from '../protocol/commitment/gramTree.ts';
import { buildAnswer } from '../protocol/dispute/buildAnswer.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import { MODEL_COORDINATE_BYTES, UPDATE_COORDINATE_BYTES } from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import { MAX_EVIDENCE_BYTES, parseEvidence } from '../protocol/round/evidence.ts';
import { layoutOf, treeLayout } from '../protocol/round/parameters.ts';
import { chunkReads } from '../storage/chunkReads.ts';
import type { AggregatorContext } from './context.ts';
import type { PatchedPayloads } from './patchedPayloads.ts';

/** A payload that this disk does not give (any more): somebody else has to answer. */
const NOT_HELD = new Set(['PAYLOAD_MISSING', 'PAYLOAD_RANGE', 'BLOCK_MISMATCH', 'EVIDENCE', 'GRAM_LENGTH']);

/** The packed opening, or null when this node does not hold the payload. */
export async function openHeld(
  context: Pick<AggregatorContext, 'federation' | 'payloads'>,
  patched: PatchedPayloads,
  { kind, round, index, chunk }: OpenedChallenge,
  { root, normSq, rows }: ChallengeState,
): Promise<Uint8Array | null> {
  const { federation, payloads } = context;
  const { store } = payloads;
  const layout = kind === 'state' ? treeLayout(federation.parameters, kind) : layoutOf(federation.parameters);
  const coordinateBytes = kind === 'update' ? UPDATE_COORDINATE_BYTES : MODEL_COORDINATE_BYTES;
  const pieceBytes = kind === 'gram' ? gramMatrixBytes(rows) : layout.chunkSize * coordinateBytes;
  try {
    const cid =
      kind === 'update'
        ? (patched.get(root) ?? (await federation.revealedCid(round, index, root)))
        : await publishedCid(context, kind, round, root);
    if (cid === null || !(await store.has(cid))) return null;
    return await buildAnswer(chunkReads(store, cid, pieceBytes), layout, { kind, chunk, root, normSq, rows });
  } catch (error) {
    if (error instanceof AssayError && NOT_HELD.has(error.code)) return null;
    throw error;
  }
}

const ROOT_OF = { model: 'modelRoot', state: 'stateRoot', gram: 'gramRoot' } as const;

async function publishedCid(
  { federation, payloads: { store } }: Pick<AggregatorContext, 'federation' | 'payloads'>,
  kind: 'model' | 'state' | 'gram',
  round: number,
  root: string,
): Promise<string | null> {
  const published = (await federation.standingPublications()).find((candidate) => candidate.round === round);
  if (published === undefined || published.publication[ROOT_OF[kind]] !== root) return null;
  if (kind === 'model') return cidFromBytes(published.publication.modelCid);
  const evidenceCid = cidFromBytes(published.publication.evidenceCid);
  if (!(await store.has(evidenceCid))) return null;
  const evidence = parseEvidence(await store.readAll(evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES }));
  return kind === 'state' ? evidence.stateCid : evidence.gramCid;
}

/** The answer to a challenge, from bytes that anybody serves: packed as the contract takes it. */
import { gramMatrixBytes, gramPayloadLength } from '../../protocol/commitment/gramTree.ts';
import {
  gramPath,
  openGramAnswer,
  openModelAnswer,
  openUpdateAnswer,
  packGramPath,
} from '../../protocol/commitment/openings.ts';
import { openModelChunk, openUpdateChunk } from '../../protocol/dispute/badCoordinate.ts';
import { gramTree } from '../../protocol/dispute/trees.ts';
import { concatBytes, type Hex } from '../../protocol/encoding/bytes.ts';
import { stateLayout, type VectorLayout } from '../../protocol/encoding/layout.ts';
import { modelPayloadLength, updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChallengeOpened } from '../chain/decodeEvents.ts';
import { cidTextOrNull, isCidText } from '../payloads/cidText.ts';
import { EvidenceReader } from '../payloads/evidenceReader.ts';
import { chunksOfPayload, type Payload } from '../payloads/payload.ts';
import type { PayloadReader } from '../payloads/payloadReader.ts';

/** How the federation's vectors are cut. */
export interface VectorShapes {
  readonly layout: VectorLayout;
  /** Vectors of the server state (`stateVectors`). */
  readonly planes: number;
}

/** Null when nobody serves the bytes, or when what is served does not open. */
export async function openingOf(
  payloads: PayloadReader,
  { layout, planes }: VectorShapes,
  round: RoundFacts,
  challenge: ChallengeOpened,
): Promise<Uint8Array | null> {
  const { kind, index, chunk, owner } = challenge;
  const open = async (
    cid: string | null,
    length: number,
    opener: (payload: Payload) => Promise<Uint8Array | null>,
  ): Promise<Uint8Array | null> => {
    if (cid === null || !isCidText(cid)) return null;
    const outcome = await payloads.read({ cid, exactBytes: length, maxBytes: length, owner });
    if (outcome.status !== 'found') return null;
    try {
      return await opener(outcome.payload);
    } finally {
      await outcome.payload.release();
    }
  };
  if (kind === 'update') {
    const submission = round.reveals.find((reveal) => reveal.submission.index === index)?.submission;
    if (submission === undefined) return null;
    return open(cidTextOrNull(submission.cid), updatePayloadLength(layout), async (payload) => {
      const opening = await openUpdateChunk(chunksOfPayload(payload, 2 * layout.chunkSize), layout, chunk);
      return openUpdateAnswer(submission, layout, chunk, opening) === null ? null : opening;
    });
  }
  const { published } = round;
  if (published === null) return null;
  const { publication } = published;
  const openVector = (cid: string | null, root: Hex, shape: VectorLayout) =>
    open(cid, modelPayloadLength(shape), async (payload) => {
      const opening = await openModelChunk(chunksOfPayload(payload, 4 * shape.chunkSize), shape, chunk);
      return openModelAnswer(root, shape, chunk, opening) === null ? null : opening;
    });
  if (kind === 'model') return openVector(cidTextOrNull(publication.modelCid), publication.modelRoot, layout);
  const evidence = await new EvidenceReader(payloads).read(published);
  if (evidence.status !== 'found') return null;
  const { stateCid, gramCid } = evidence.document;
  if (kind === 'state') return openVector(stateCid, publication.stateRoot, stateLayout(layout, planes));
  const n = round.reveals.length - round.voided.size;
  return open(gramCid, gramPayloadLength(n, layout.chunkCount), async (payload) => {
    const readSpan = chunksOfPayload(payload, gramMatrixBytes(n));
    const path = packGramPath(gramPath(await gramTree(readSpan, n, layout), 0, chunk));
    const opening = concatBytes(await readSpan(chunk), path);
    return openGramAnswer(publication.gramRoot, n, layout, chunk, opening) === null ? null : opening;
  });
}

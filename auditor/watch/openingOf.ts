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
import { chunksOf, gramTree } from '../../protocol/dispute/trees.ts';
import { concatBytes } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { modelPayloadLength, updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChallengeOpened } from '../chain/decodeEvents.ts';
import { cidTextOrNull, isCidText } from '../payloads/cidText.ts';
import { EvidenceReader } from '../payloads/evidenceReader.ts';
import type { PayloadReader } from '../payloads/payloadReader.ts';

/** Null when nobody serves the bytes, or when what is served does not open. */
export async function openingOf(
  payloads: PayloadReader,
  layout: VectorLayout,
  round: RoundFacts,
  challenge: ChallengeOpened,
): Promise<Uint8Array | null> {
  const { kind, index, chunk, owner } = challenge;
  const read = async (cid: string | null, length: number): Promise<Uint8Array | null> => {
    if (cid === null || !isCidText(cid)) return null;
    const outcome = await payloads.read({ cid, exactBytes: length, maxBytes: length, owner });
    return outcome.status === 'found' ? outcome.bytes : null;
  };
  if (kind === 'update') {
    const submission = round.reveals.find((reveal) => reveal.submission.index === index)?.submission;
    if (submission === undefined) return null;
    const bytes = await read(cidTextOrNull(submission.cid), updatePayloadLength(layout));
    if (bytes === null) return null;
    const opening = await openUpdateChunk(chunksOf(bytes, 2 * layout.chunkSize), layout, chunk);
    return openUpdateAnswer(submission, layout, chunk, opening) === null ? null : opening;
  }
  const { published } = round;
  if (published === null) return null;
  const { publication } = published;
  if (kind === 'model') {
    const bytes = await read(cidTextOrNull(publication.modelCid), modelPayloadLength(layout));
    return bytes === null ? null : openVector(bytes, publication.modelRoot, layout, chunk);
  }
  const evidence = await new EvidenceReader(payloads).read(published);
  if (evidence.status !== 'found') return null;
  if (kind === 'state') {
    const bytes = await read(evidence.document.stateCid, modelPayloadLength(layout));
    return bytes === null ? null : openVector(bytes, publication.stateRoot, layout, chunk);
  }
  const n = round.reveals.length - round.voided.size;
  const bytes = await read(evidence.document.gramCid, gramPayloadLength(n, layout.chunkCount));
  if (bytes === null) return null;
  const readSpan = chunksOf(bytes, gramMatrixBytes(n));
  const path = packGramPath(gramPath(await gramTree(readSpan, n, layout), 0, chunk));
  const opening = concatBytes(await readSpan(chunk), path);
  return openGramAnswer(publication.gramRoot, n, layout, chunk, opening) === null ? null : opening;
}

async function openVector(
  bytes: Uint8Array,
  root: Parameters<typeof openModelAnswer>[0],
  layout: VectorLayout,
  chunk: number,
): Promise<Uint8Array | null> {
  const opening = await openModelChunk(chunksOf(bytes, 4 * layout.chunkSize), layout, chunk);
  return openModelAnswer(root, layout, chunk, opening) === null ? null : opening;
}

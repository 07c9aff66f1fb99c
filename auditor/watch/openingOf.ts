/** The answer to a challenge, from bytes that anybody serves: packed as the contract takes it. */
import { usesHistory } from '../../protocol/aggregation/rule.ts';
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
import { modelPayloadLength, updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import { type LearningParameters, layoutOf, treeLayout } from '../../protocol/round/parameters.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChallengeOpened } from '../chain/decodeEvents.ts';
import { cidTextOrNull, isCidText } from '../payloads/cidText.ts';
import { EvidenceReader } from '../payloads/evidenceReader.ts';
import { chunksOfPayload, type Payload } from '../payloads/payload.ts';
import type { PayloadReader } from '../payloads/payloadReader.ts';

/** Null when nobody serves the bytes, or when what is served does not open. */
export async function openingOf(
  payloads: PayloadReader,
  parameters: LearningParameters,
  round: RoundFacts,
  challenge: ChallengeOpened,
): Promise<Uint8Array | null> {
  const { kind, index, chunk, owner } = challenge;
  const layout = layoutOf(parameters);
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
  const openVector = (cid: string | null, vector: 'model' | 'state', root: Hex) => {
    const whole = treeLayout(parameters, vector);
    return open(cid, modelPayloadLength(whole), async (payload) => {
      const opening = await openModelChunk(chunksOfPayload(payload, 4 * whole.chunkSize), whole, chunk);
      return openModelAnswer(root, whole, chunk, opening) === null ? null : opening;
    });
  };
  if (kind === 'model') return openVector(cidTextOrNull(publication.modelCid), 'model', publication.modelRoot);
  const evidence = await new EvidenceReader(payloads).read(published);
  if (evidence.status !== 'found') return null;
  const { stateCid, gramCid } = evidence.document;
  if (kind === 'state') return openVector(stateCid, 'state', publication.stateRoot);
  const n = round.reveals.length - round.voided.size + (usesHistory(parameters.rule) ? 1 : 0);
  return open(gramCid, gramPayloadLength(n, layout.chunkCount), async (payload) => {
    const readSpan = chunksOfPayload(payload, gramMatrixBytes(n));
    const path = packGramPath(gramPath(await gramTree(readSpan, n, layout), 0, chunk));
    const opening = concatBytes(await readSpan(chunk), path);
    return openGramAnswer(publication.gramRoot, n, layout, chunk, opening) === null ? null : opening;
  });
}

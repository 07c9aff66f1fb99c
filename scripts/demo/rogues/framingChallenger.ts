/**
 * Accuses an honest participant of a wrong sum: opens one of its leaves, which is right, and hopes for half of its stake.
 * The contract computes the sum, finds it right, and gives the accuser's bond to the accused.
 */

import { pause } from '../../../chain/followRounds.ts';
import { proveBadSum } from '../../../chain/proofs.ts';
import { revertName } from '../../../chain/revert.ts';
import { createRandom } from '../../../client/random.ts';
import { sumLeafPreimage } from '../../../protocol/commitment/merkleSum.ts';
import { sumOpening } from '../../../protocol/dispute/badSum.ts';
import { chunksOf, updateTree } from '../../../protocol/dispute/trees.ts';
import { cidFromBytes } from '../../../protocol/encoding/cid.ts';
import { updatePayloadLength } from '../../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import { revealedUpdate, voidedIndices } from '../../../protocol/round/submission.ts';
import type { Part } from './dishonestClient.ts';

/** Too late, or the round is being done again: look again. */
const LOST_RACES = new Set(['WrongPhase', 'WrongReveals', 'SubmissionAlreadyVoided']);

export async function frame(part: Part): Promise<void> {
  const { federation, round, pollMs, signal } = part;
  while (!signal.aborted) {
    try {
      if ((await federation.round(round)).phase === 'challenge') return await accuse(part);
    } catch (error) {
      if (!LOST_RACES.has(revertName(error) ?? '')) throw error;
    }
    await pause(pollMs, signal);
  }
}

async function accuse({ federation, signer, payloads, round, seed, report }: Part): Promise<void> {
  const layout = layoutOf(federation.parameters);
  const view = await federation.round(round);
  const submissions = await federation.submissions(view);
  const voided = voidedIndices(view.voidedBitmap);
  const standing = submissions.flatMap(({ index }, position) => (voided.has(index) ? [] : [position]));
  const random = createRandom(seed, 'frame');
  const accused = standing[random.nextInt(standing.length)]!;
  const { cid, participant } = submissions[accused]!;
  const expectedBytes = updatePayloadLength(layout);
  await payloads.fetch(cidFromBytes(cid), { expectedBytes, owner: participant });
  const read = chunksOf(await payloads.store.readAll(cidFromBytes(cid)), 2 * layout.chunkSize);
  const tree = await updateTree(read, layout);
  const chunk = random.nextInt(layout.chunkCount);
  const leaf = tree.node(0, chunk);
  const { hash, gasUsed } = await proveBadSum(federation, signer, {
    kind: 'badSum',
    round,
    reveals: submissions.map(revealedUpdate),
    accused,
    opening: sumOpening(0, chunk, leaf, sumLeafPreimage(leaf.sum, await read(chunk)), tree.path(0, chunk)),
  });
  report({ type: 'accused', round, participant, chunk, transaction: hash, gasUsed });
}

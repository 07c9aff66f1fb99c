/**
 * Accuses an honest participant of a wrong sum: opens one of its leaves, which is right, and hopes for half of its stake.
 * The contract computes the sum, finds it right, and gives the accuser's bond to the accused.
 */

import { pause } from '../../../chain/followRounds.ts';
import { proveBadSum } from '../../../chain/proofs.ts';
import { createRandom } from '../../../client/random.ts';
import { sumLeafPreimage } from '../../../protocol/commitment/merkleSum.ts';
import { sumOpening } from '../../../protocol/dispute/badSum.ts';
import { chunksOf, updateTree } from '../../../protocol/dispute/trees.ts';
import { cidFromBytes } from '../../../protocol/encoding/cid.ts';
import { updatePayloadLength } from '../../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import { revealedUpdate } from '../../../protocol/round/submission.ts';
import type { Part } from './dishonestClient.ts';

export async function frame({ federation, signer, payloads, round, seed, pollMs, signal, report }: Part) {
  while ((await federation.round(round)).phase !== 'challenge') {
    if (signal.aborted) return;
    await pause(pollMs, signal);
  }
  const layout = layoutOf(federation.parameters);
  const submissions = await federation.submissions(await federation.round(round));
  const random = createRandom(seed, 'frame');
  const accused = random.nextInt(submissions.length);
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

/**
 * Takes copies out of a round before it is aggregated: who reveals a root that was revealed before adds nothing but
 * weight to somebody else's update.
 */
import type { RoundView } from '../chain/convert.ts';
import type { FederationEvent } from '../chain/events.ts';
import { isAfter } from '../chain/position.ts';
import { voidCopiedUpdate } from '../chain/proofs.ts';
import { keccak256 } from '../protocol/commitment/keccak.ts';
import { findCopiedUpdates, type RevealsOfRound } from '../protocol/dispute/copiedUpdate.ts';
import { fromHex } from '../protocol/encoding/bytes.ts';
import { revealedUpdate, type Submission, voidedIndices } from '../protocol/round/submission.ts';
import type { AggregatorContext } from './context.ts';
import { isRefusedProof } from './refusedProof.ts';

/** True when a copy was taken out: the round's valid set is another one now. Reads every reveal there was. */
export async function voidCopies(
  { federation, signer, report }: AggregatorContext,
  view: RoundView,
  reveals: readonly Submission[],
): Promise<boolean> {
  const [opened, revealed] = await Promise.all([federation.events('RoundOpened'), federation.events('UpdateRevealed')]);
  const earlier = revealsBefore(view.number, opened, revealed);
  const current = { round: view.number, reveals: reveals.map(revealedUpdate) };
  const proofs = findCopiedUpdates(current, voidedIndices(view.voidedBitmap), earlier);
  let found = false;
  for (const proof of proofs) {
    try {
      const { hash, gasUsed } = await voidCopiedUpdate(federation, signer, proof);
      const { participant } = proof.reveals[proof.copy]!;
      report({ type: 'copyVoided', round: view.number, participant, transaction: hash, gasUsed });
      found = true;
    } catch (error) {
      if (!isRefusedProof(error)) throw error; // what the contract takes for no copy counts
    }
  }
  return found;
}

/** The reveals of the rounds before, each of its newest opening: that is the one which stands. */
export function revealsBefore(
  round: number,
  opened: readonly FederationEvent<'RoundOpened'>[],
  revealed: readonly FederationEvent<'UpdateRevealed'>[],
): RevealsOfRound[] {
  const newest = new Map(opened.map((event) => [event.args.round, event])); // events come oldest first
  const rounds = new Map<bigint, RevealsOfRound & { readonly reveals: RevealsOfRound['reveals'][number][] }>();
  for (const event of revealed) {
    const { round: number, index, participant, root, normSq, cid } = event.args;
    const opening = newest.get(number);
    if (number >= round || (opening !== undefined && !isAfter(event, opening))) continue;
    const known = rounds.get(number) ?? { round: Number(number), reveals: [] };
    known.reveals.push({ index, participant, root, normSq, cidHash: keccak256(fromHex(cid)) });
    rounds.set(number, known);
  }
  return [...rounds.values()];
}

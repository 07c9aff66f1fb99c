/**
 * Charges who committed and did not reveal. The contract would do it at their next action; an aggregator does it at
 * once, so that who cannot be expected to commit any more is not waited for.
 */
import type { RoundView } from '../chain/convert.ts';
import { revertName } from '../chain/revert.ts';
import type { AggregatorContext } from './context.ts';

export class MissedReveals {
  private readonly context: AggregatorContext;
  private settled = '';

  constructor(context: AggregatorContext) {
    this.context = context;
  }

  /** Once when reveals have closed, and once when a round opens: the one before may have been abandoned. */
  async settle(view: RoundView): Promise<void> {
    const closed = view.phase !== 'open' && view.phase !== 'commit' && view.phase !== 'reveal';
    const key = `${view.opening}/${closed}`;
    if (key === this.settled) return;
    const { federation, signer, report } = this.context;
    const count = closed && view.revealed === view.committed ? 0 : await federation.participantCount();
    for (let index = 0; index < count; index++) {
      const participant = await federation.participantAt(index);
      if (participant === null || participant.revealed || participant.committedOpening === 0) continue;
      const round = Number(participant.committedRound);
      if (round > view.number || (round === view.number && !closed)) continue;
      try {
        const { hash } = await federation.settleMissedReveal(signer, participant.account);
        report({ type: 'penalised', round, participant: participant.account, transaction: hash });
      } catch (error) {
        if (revertName(error) !== 'NothingToSettle') throw error;
      }
    }
    this.settled = key;
  }
}

import type { AggregatorContext } from './context.ts';

/** Makes the next round final when its challenge window is over; true when the federation's last round is final. */
export async function finalizeNext({ federation, signer, report }: AggregatorContext): Promise<boolean> {
  const { totalRounds } = federation.parameters;
  const next = (await federation.lastFinalRound()) + 1;
  if (totalRounds !== 0 && next > totalRounds) {
    report({ type: 'ended', rounds: totalRounds });
    return true;
  }
  const view = await federation.round(next);
  if (view.phase !== 'challenge') return false;
  if ((await federation.chainTime()) < view.deadline) return false;
  const { hash, gasUsed } = await federation.finalizeRound(signer, next);
  report({ type: 'finalized', round: next, transaction: hash, gasUsed });
  return false;
}

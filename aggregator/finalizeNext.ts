import type { AggregatorContext } from './context.ts';

/**
 * Makes the next round final when its challenge window is over and nobody waits for an answer; true when the
 * federation's last round is final.
 */
export async function finalizeNext(
  { federation, signer, report }: AggregatorContext,
  onFinal: (lastFinalRound: number) => Promise<void> = async () => undefined,
): Promise<boolean> {
  const { totalRounds } = federation.parameters;
  const final = await federation.lastFinalRound();
  await onFinal(final);
  const next = final + 1;
  if (totalRounds !== 0 && next > totalRounds) {
    report({ type: 'ended', rounds: totalRounds });
    return true;
  }
  const view = await federation.round(next);
  if (view.phase !== 'challenge' || view.openChallenges > 0) return false;
  if ((await federation.chainTime()) < view.deadline) return false;
  const { hash, gasUsed } = await federation.finalizeRound(signer, next);
  report({ type: 'finalized', round: next, transaction: hash, gasUsed });
  return false;
}

/** The clock of every node: looks at the federation's current round again and again until told to stop. */
import type { RoundView } from './convert.ts';
import type { Federation } from './federation.ts';

/** Between two looks. The chain's blocks, not this pause, decide what happens when. */
const DEFAULT_POLL_MS = 250;

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

/**
 * Yields the current round's state, null before round 1 opens. The consumer acts on what it sees; whatever it does must
 * be right to do again, since the next look may show the same.
 */
export async function* followRounds(
  federation: Federation,
  { signal, pollMs = DEFAULT_POLL_MS }: FollowOptions,
): AsyncGenerator<RoundView | null> {
  while (!signal.aborted) {
    const current = await federation.currentRound();
    const view = current === 0 ? null : await federation.round(current);
    // Voided between the two questions: it is no round any more, and the current one is an earlier one.
    if (view?.phase !== 'none') yield view;
    await pause(pollMs, signal);
  }
}

/**
 * Runs two works of a node side by side, such as its rounds and its answers to challenges: when one ends, for whatever
 * reason, the other's signal fires. When both have ended it rejects with the first failure, if there was one.
 */
export async function sideBySide(
  signal: AbortSignal,
  ...works: readonly ((signal: AbortSignal) => Promise<void>)[]
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const ended = await Promise.allSettled(works.map((work) => work(either).finally(() => over.abort())));
  for (const work of ended) if (work.status === 'rejected') throw work.reason;
}

/** Resolves after `ms`, or at once when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

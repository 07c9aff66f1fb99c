/** What can be asked of a round with nothing but the chain. */

import { commitHash } from '../../protocol/commitment/commitHash.ts';
import type { Finding } from '../../protocol/dispute/finding.ts';
import { type Hex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { accumulateAll } from '../../protocol/round/submission.ts';
import type { Reveal, RoundFacts } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import { aggregator, CONTRACT, finding, participant } from '../finding.ts';

/** Was what each participant revealed what it had sealed? */
export function commitsMatchReveals(facts: ChainFacts, round: RoundFacts): Finding[] {
  return round.reveals.flatMap((reveal) => {
    const { submission, commitHash: sealed, calldata } = reveal;
    const opening = sealed === null || calldata === null ? 'missing' : openCommit(facts, round, reveal);
    if (opening === 'right') return [];
    const missing = sealed === null ? 'there is no commit' : 'the transaction that revealed is missing';
    const message = {
      missing: `The reveal of participant ${submission.index} does not open its commit: ${missing}.`,
      wrong: `The reveal of participant ${submission.index} does not open its commit.`,
      hidden: `The transaction that revealed for participant ${submission.index} does not show what it revealed: the contract took it, nobody else can check it.`,
    }[opening];
    return [
      finding('commitMismatch', round.round, participant(submission.participant), message, {
        expected: sealed ?? 'a commit',
        received: `root ${submission.root}, squared norm ${submission.normSq}`,
        // Were it a breach, any participant could make every audit fail by revealing through a contract of its own.
        ...(opening === 'hidden' ? { severity: 'misconduct' as const } : {}),
      }),
    ];
  });
}

/**
 * The salt is public only in the calldata of the reveal, three words after the root. Looked for there, not at a fixed
 * place, a reveal that another contract relayed is checked like a direct one; `hidden` when the root does not stand there
 * at all.
 */
function openCommit(
  facts: ChainFacts,
  round: RoundFacts,
  { submission, commitHash: sealed, calldata }: Reveal,
): 'right' | 'wrong' | 'hidden' {
  const { chainId, federation } = facts;
  const text = calldata?.slice(2) ?? '';
  const root = submission.root.slice(2);
  let at = text.indexOf(root);
  if (at === -1) return 'hidden';
  for (; at !== -1; at = text.indexOf(root, at + 1)) {
    const salt = text.slice(at + 3 * 64, at + 4 * 64);
    if (salt.length < 64) return 'wrong';
    const opened = commitHash({
      chainId,
      federation,
      round: round.round,
      baseModelRoot: round.baseModelRoot,
      participant: submission.participant,
      root: submission.root,
      normSq: submission.normSq,
      cid: submission.cid,
      salt: `0x${salt}`,
    });
    if (opened === sealed) return 'right';
  }
  return 'wrong';
}

/** Is the accumulator that of the reveals, all of them and in their order? */
export function accumulatorHolds(round: RoundFacts): Finding[] {
  const expected = accumulateAll(round.reveals.map(({ submission }) => submission));
  const received = round.state?.accumulator ?? ZERO_HASH;
  if (expected === received) return [];
  const message = 'The contract’s accumulator is not that of the reveals its events show.';
  return [finding('accumulatorMismatch', round.round, CONTRACT, message, { expected, received })];
}

/** Who revealed a root, in the order of the chain, voided rounds included. */
export type RevealedRoots = ReadonlyMap<Hex, readonly { participant: Hex; round: number; standing: boolean }[]>;

/**
 * Is every root new? A root belongs to who revealed it first in a reveal that stands. Anybody may have a copy voided
 * before its round is published; one that nobody had voided counts, as the contract says, and is misconduct. `revealed`
 * holds all roots ever, each list in order of time.
 */
export function rootsAreNew(round: RoundFacts, revealed: RevealedRoots): Finding[] {
  return round.reveals.flatMap(({ submission }) => {
    const { root, index } = submission;
    if (round.voided.has(index)) return [];
    const all = revealed.get(root) ?? [];
    const own = all.findIndex((r) => r.round === round.round && r.participant === submission.participant && r.standing);
    const earlier = all.slice(0, own).find((r) => r.standing);
    if (earlier === undefined) return [];
    const message = `Participant ${index} revealed a root that was revealed before, in round ${earlier.round}.`;
    return [
      finding('copiedUpdate', round.round, participant(submission.participant), message, {
        severity: 'misconduct',
        expected: 'a root never seen in this federation',
        received: `${root}, first revealed by ${earlier.participant}`,
      }),
    ];
  });
}

/** Is every revealed norm within the federation's bound? */
export function normsWithinBound({ parameters }: ChainFacts, round: RoundFacts): Finding[] {
  return round.reveals.flatMap(({ submission: { participant: account, index, normSq } }) =>
    normSq <= parameters.normSqBound
      ? []
      : [
          finding('normBoundExceeded', round.round, participant(account), `The norm of update ${index} is too large.`, {
            expected: `squared norm at most ${parameters.normSqBound === NO_NORM_BOUND ? '2^64 - 1' : parameters.normSqBound}`,
            received: normSq.toString(),
          }),
        ],
  );
}

/**
 * Did the leader of the turn publish? The phase opens with the name of its first leader; a turn that nobody used names
 * who missed it, each aggregator once, so after a whole circle their list is the rotation.
 */
export function leaderPublished({ parameters, aggregators }: ChainFacts, round: RoundFacts): Finding[] {
  const { published } = round;
  if (published === null) return [];
  const { turns, publishedAt, aggregator: publisher } = published;
  const wrong = (expected: string) => [
    finding(
      'wrongLeader',
      round.round,
      aggregator(publisher),
      'The model was not published by the leader of the turn.',
      {
        expected,
        received: `${publisher} at ${publishedAt ?? 'an unknown time'}`,
      },
    ),
  ];
  if (turns === null) return wrong('a publication in the phase aggregate');
  if (publishedAt === null) return wrong('a publication in a block that the chain has');
  const late = publishedAt - turns.firstDeadline;
  const turnsPassed = late < 0 ? 0 : 1 + Math.floor(late / parameters.aggregateWindowSeconds);
  const { missed, firstLeader } = turns;
  if (turnsPassed === 0) {
    return publisher === firstLeader && missed.length === 0
      ? []
      : wrong(`${firstLeader}, leader of turn ${turns.firstTurn}`);
  }
  if (missed.length > turnsPassed || missed.length === 0 || missed[0] !== firstLeader) {
    return wrong(`a publication after ${turnsPassed} missed turns`);
  }
  if (missed.length < turnsPassed) {
    const leader = missed[turnsPassed % missed.length]!;
    return publisher === leader ? [] : wrong(`${leader}, leader of turn ${turns.firstTurn + turnsPassed}`);
  }
  if (!missed.includes(publisher)) return []; // the next one's turn has come
  // Everybody missed exactly once, and it is the first one's turn again: then nobody else stood in the rotation.
  const others = aggregators.some(
    ({ account, activeFromRound, activeUntilRound }) =>
      activeFromRound <= round.round && round.round <= activeUntilRound && !missed.includes(account),
  );
  if (publisher === missed[0] && !others) return [];
  return wrong(`an aggregator that had not missed its turn yet, or ${missed[0]} after a whole circle`);
}

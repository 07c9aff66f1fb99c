/**
 * Watches for availability challenges and answers those that this node can: an owner that is up is never convicted of
 * silence. Runs beside a node's other work (training and collecting take minutes, an answer has a deadline). What it
 * does follows from the chain alone, so a node that was killed goes on where it was.
 */
import type { Hex } from '../protocol/encoding/bytes.ts';
import { AssayError } from '../protocol/errors.ts';
import {
  type Answer,
  answerChallenges,
  type ChallengeState,
  challengeState,
  type OpenedChallenge,
  openedChallenges,
  settleChallenge,
} from './challenges.ts';
import type { Federation } from './federation.ts';
import { pause } from './followRounds.ts';
import { revertName } from './revert.ts';
import type { Signer } from './rpc.ts';
import type { Sent } from './transaction.ts';

/** What a node tells about challenges. */
export type ChallengeEvent =
  | {
      readonly type: 'answered';
      readonly round: number;
      /** Challenges answered with the transaction. */
      readonly challenges: readonly Hex[];
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    }
  | {
      readonly type: 'settled';
      readonly round: number;
      readonly challenge: Hex;
      /** Who did not answer in time. */
      readonly owner: Hex;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    };

export interface ChallengeWatchOptions {
  readonly federation: Federation;
  readonly signer: Signer;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  /** The packed opening of what is asked for, or null when this node has not got it (yet). */
  readonly open: (challenge: OpenedChallenge, state: ChallengeState) => Promise<Uint8Array | null>;
  /** Whether to settle what nobody answered in time; never this node's own. */
  readonly settles: boolean;
  /** How answers are sent; default: by a transaction of the signer. */
  readonly send?: (answers: readonly Answer[]) => Promise<Pick<Sent, 'hash' | 'gasUsed'>>;
  readonly report: (event: ChallengeEvent) => void;
}

const DEFAULT_POLL_MS = 250;
/** Events of that many blocks are read again: a reorganisation may have brought others. */
const REREAD_BLOCKS = 16n;
/** Looks between two attempts to open what this node did not hold: it may be on its way. */
const LOOKS_BETWEEN_ATTEMPTS = 8;
/** Answers in one transaction; each carries a chunk and its path. */
const LARGEST_BATCH = 8;
/** Somebody else was first, or the deadline passed in between. */
const LOST_RACES = new Set([
  'NothingAccepted',
  'ChallengeAnsweredAlready',
  'AnswerTooLate',
  'ChallengeNotFound',
  'AnswerWindowOpen',
  'SubmissionAlreadyVoided',
  'WrongPhase',
]);

/** Runs until `signal` fires. @throws AssayError for what only the operator can mend. */
export async function watchChallenges(options: ChallengeWatchOptions): Promise<void> {
  const { federation, signal, pollMs = DEFAULT_POLL_MS } = options;
  const { publicClient } = federation.connection;
  const open = new Map<Hex, OpenedChallenge>();
  const notHeld = new Map<Hex, number>();
  let nextBlock = 0n;
  for (let look = 0; !signal.aborted; look++) {
    const head = await publicClient.getBlockNumber();
    if (head >= nextBlock) {
      const from = nextBlock > REREAD_BLOCKS ? nextBlock - REREAD_BLOCKS : 0n;
      for (const challenge of await openedChallenges(federation, {}, from)) open.set(challenge.id, challenge);
      nextBlock = head + 1n;
    }
    if (open.size > 0) await attend(options, open, notHeld, look);
    await pause(pollMs, signal);
  }
}

/** `notHeld`: at which look this node could not open what was asked for. */
async function attend(
  options: ChallengeWatchOptions,
  open: Map<Hex, OpenedChallenge>,
  notHeld: Map<Hex, number>,
  look: number,
): Promise<void> {
  const { federation, signer, settles, signal } = options;
  const now = await federation.chainTime();
  const answers: { readonly challenge: OpenedChallenge; readonly answer: Answer }[] = [];
  for (const challenge of [...open.values()]) {
    if (signal.aborted) return;
    const state = await challengeState(federation, challenge.id);
    if (state.answered || BigInt(state.challenger) === 0n) {
      open.delete(challenge.id);
      notHeld.delete(challenge.id);
    } else if (now >= state.answerBy) {
      if (settles && challenge.owner !== signer.account.address) await settle(options, challenge);
    } else if (answers.length < LARGEST_BATCH) {
      if (look < (notHeld.get(challenge.id) ?? Number.NEGATIVE_INFINITY) + LOOKS_BETWEEN_ATTEMPTS) continue;
      const opening = await options.open(challenge, state);
      if (opening === null) notHeld.set(challenge.id, look);
      else answers.push({ challenge, answer: { id: challenge.id, opening } });
    }
  }
  // One round's at a time, so that what is reported has one round.
  for (const round of new Set(answers.map(({ challenge }) => challenge.round))) {
    await send(
      options,
      round,
      answers.filter(({ challenge }) => challenge.round === round).map(({ answer }) => answer),
    );
  }
}

async function send(options: ChallengeWatchOptions, round: number, answers: readonly Answer[]): Promise<void> {
  const { federation, signer, report } = options;
  const transmit = options.send ?? ((batch: readonly Answer[]) => answerChallenges(federation, signer, batch));
  await unlessLost(async () => {
    const { hash, gasUsed } = await transmit(answers);
    report({ type: 'answered', round, challenges: answers.map(({ id }) => id), transaction: hash, gasUsed });
  });
}

async function settle(
  { federation, signer, report }: ChallengeWatchOptions,
  challenge: OpenedChallenge,
): Promise<void> {
  await unlessLost(async () => {
    const { hash, gasUsed } = await settleChallenge(federation, signer, challenge.id);
    const { id, owner, round } = challenge;
    report({ type: 'settled', round, challenge: id, owner, transaction: hash, gasUsed });
  });
}

async function unlessLost(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    // A relay that is away may be back at the next look.
    const later = error instanceof AssayError && ['REVERTED', 'RELAY_FAILED'].includes(error.code);
    const lost = later || LOST_RACES.has(revertName(error) ?? '');
    if (!lost) throw error;
  }
}

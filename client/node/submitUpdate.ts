/**
 * A participant's part in one round: commit, then reveal. Each looks at the chain and at the state folder first, so that
 * it is right to do it again.
 */
import type { RoundView } from '../../chain/convert.ts';
import { commitHash } from '../../protocol/commitment/commitHash.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { ParticipantContext } from './context.ts';
import { copyUpdate } from './copyUpdate.ts';
import { senderOf } from './sender.ts';
import { readSubmission, type SubmissionState, writeSubmission } from './submissionState.ts';
import { fetchBaseModel, trainUpdate } from './trainUpdate.ts';

/** What this process remembers between two looks. */
export interface BetweenLooks {
  /** The base model of the last round it trained in. */
  lastBase: Int32Array | null;
  /** The opening whose update it trained or has said to go on with. */
  opening: number;
  /** The round, and its opening, for which it has an update that is not committed to yet. */
  uncommitted: { readonly round: number; readonly opening: number } | null;
}

/** Trains for the round and commits to the update, unless that is done. */
export async function commit(context: ParticipantContext, view: RoundView, memory: BetweenLooks): Promise<void> {
  const { federation, signer, state, report } = context;
  const account = signer.account.address;
  if (await federation.hasCommitted(view.number, account)) return;
  let submission = await readSubmission(state);
  if (submission !== undefined && isFor(submission, view)) {
    if (memory.opening !== view.opening) report({ type: 'resumed', round: view.number, stage: submission.stage });
  } else {
    if (submission !== undefined) await noteReveal(context, submission);
    await federation.checkCommit(account, view.number);
    const base = await fetchBaseModel(context, view);
    const copied = context.attack?.copies ? await copyUpdate(context, view, account) : null;
    submission = await trainUpdate(context, view, base, memory.lastBase, copied);
    memory.lastBase = base;
  }
  memory.opening = view.opening;
  memory.uncommitted = { round: view.number, opening: view.opening };
  const { hash, gasUsed } = await senderOf(context).commit(view, sealed(context, submission));
  memory.uncommitted = null;
  await writeSubmission(state, { ...submission, stage: 'committed' });
  report({ type: 'committed', round: view.number, transaction: hash, gasUsed, root: submission.root });
}

/** What the contract gets to see of an update before its reveal. */
function sealed({ federation, signer }: ParticipantContext, submission: SubmissionState): Hex {
  return commitHash({
    ...submission,
    chainId: federation.connection.chainId,
    federation: federation.address,
    participant: signer.account.address,
    cid: cidToBytes(submission.cid),
  });
}

/** An update that was not ready when the commits of its round were closed: its operator may want to train less. */
export async function noteTooLate(
  { federation, signer, report }: ParticipantContext,
  view: RoundView,
  memory: BetweenLooks,
) {
  const { uncommitted } = memory;
  if (uncommitted === null) return;
  const { round, opening } = uncommitted;
  const same = view.number === round && view.opening === opening;
  if (same && (view.phase === 'open' || view.phase === 'commit')) return;
  memory.uncommitted = null;
  // A round that was opened again is trained for anew; a commit whose answer was lost is there.
  if (view.number === round && !same) return;
  if (await federation.hasCommitted(round, signer.account.address)) return;
  const window = federation.parameters.commitWindowSeconds;
  const reason = `its update was not ready when the commits closed, which are open for ${window} s after the first one; fewer local steps take less time`;
  report({ type: 'missed', round, reason });
}

/**
 * A node killed between its reveal and writing it down: the rounding error after that update is the one to go on with.
 */
async function noteReveal({ federation, signer, state }: ParticipantContext, before: SubmissionState): Promise<void> {
  if (before.stage === 'revealed') return;
  if (!(await federation.hasRevealed(before.round, signer.account.address))) return;
  await writeSubmission(state, { ...before, stage: 'revealed' });
}

/** Reveals what was committed to, unless that is done. @throws AssayError `COMMITMENT_LOST` or `COMMIT_TOO_LATE`. */
export async function reveal(context: ParticipantContext, view: RoundView): Promise<void> {
  const { federation, signer, state, report } = context;
  const account = signer.account.address;
  const submission = await readSubmission(state);
  let mine = submission !== undefined && isFor(submission, view) ? submission : undefined;
  // The chain is asked even when the state says `revealed`: a reorganisation may have taken the reveal back.
  if (await federation.hasRevealed(view.number, account)) {
    // Revealed just before this node was killed.
    if (mine !== undefined && mine.stage !== 'revealed') await writeSubmission(state, { ...mine, stage: 'revealed' });
    return;
  }
  if (!(await federation.hasCommitted(view.number, account))) return;
  mine ??= await belated(context, view, submission);
  if (mine === undefined) {
    const reason = 'this account committed, but the state folder does not hold what it committed to';
    report({ type: 'missed', round: view.number, reason });
    throw new AssayError('COMMITMENT_LOST', {
      summary: `round ${view.number}: ${reason}`,
      expected: `the state folder that was used for the commit`,
      received: state.path,
      fix: 'start the node with that folder before the reveal deadline; without it the penalty for a missed reveal is due',
    });
  }
  // Not earlier: a payload that others can see before its commit is on the chain could be committed to by them first.
  await context.payloads.share(mine.cid);
  const { hash, gasUsed } = await senderOf(context).reveal(view, mine);
  await writeSubmission(state, { ...mine, stage: 'revealed' });
  report({ type: 'revealed', round: view.number, transaction: hash, gasUsed, root: mine.root });
}

/**
 * The update that was committed to for an earlier opening of the round, if it is that one: its transaction was on its
 * way when the round was opened again.
 * @throws AssayError `COMMIT_TOO_LATE` when the round starts from another model now, so that it cannot be revealed.
 */
async function belated(
  context: ParticipantContext,
  view: RoundView,
  submission: SubmissionState | undefined,
): Promise<SubmissionState | undefined> {
  if (submission?.round !== view.number) return undefined;
  const about = { round: BigInt(view.number), participant: context.signer.account.address };
  const commits = await context.federation.events('UpdateCommitted', about);
  if (commits.at(-1)?.args.commitHash !== sealed(context, submission)) return undefined;
  if (submission.baseModelRoot === view.baseModelRoot) return { ...submission, opening: view.opening };
  throw new AssayError('COMMIT_TOO_LATE', {
    summary: 'its commit came to the chain after the round was opened again, from another model: it cannot be revealed',
  });
}

function isFor(submission: SubmissionState, view: RoundView): boolean {
  return (
    submission.round === view.number &&
    submission.opening === view.opening &&
    submission.baseModelRoot === view.baseModelRoot
  );
}

/**
 * A participant's node: follows the rounds of a federation and does its part in each. Every step looks at the chain and
 * at the state folder first, so a node that was killed and started again goes on where it was.
 */

import { watchChallenges } from '../../chain/answerChallenges.ts';
import type { RoundView } from '../../chain/convert.ts';
import { followRounds, sideBySide } from '../../chain/followRounds.ts';
import { revertName } from '../../chain/revert.ts';
import type { Signer } from '../../chain/rpc.ts';
import { commitHash } from '../../protocol/commitment/commitHash.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import { AssayError } from '../../protocol/errors.ts';
import { PROVABLY_INVALID } from '../../storage/fetchPayload.ts';
import { copyUpdate } from './copyUpdate.ts';
import { readMemory } from './keptMemory.ts';
import { openOwn } from './openOwn.ts';
import { makePersonalModel } from './personalModel.ts';
import { ownTransactions, type Sender } from './sender.ts';
import { nextKept, readSubmission, type SubmissionState, writeSubmission } from './submissionState.ts';
import type { TrainContext } from './trainContext.ts';
import { fetchBaseModel, fetchModel, trainUpdate } from './trainUpdate.ts';

export interface ParticipantContext extends TrainContext {
  readonly signer: Signer;
  /** How commits, reveals and answers reach the contract; default: by transactions of the signer. */
  readonly sender?: Sender;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

/** The phase moved on between a look and an act: look again. */
const LOST_RACES = new Set(['WrongPhase', 'AlreadyCommitted', 'AlreadyRevealed', 'SeedNotFixed']);

/** What the contract says to the reveal of an update beyond the norm bound. */
const NORM_ABOVE_BOUND = 'NormAboveBound';

/** What this process remembers between two looks. */
interface Memory {
  /** The base model of the last round it trained in. */
  lastBase: Int32Array | null;
  /** The opening whose update it trained or has said to go on with. */
  opening: number;
  /** The round, and its opening, for which it has an update that is not committed to yet. */
  uncommitted: { readonly round: number; readonly opening: number } | null;
}

/**
 * Runs until `signal` fires or the federation's last round is final: until then a publication may be voided, and an
 * update may be asked for.
 * @throws AssayError for what only its operator can mend: no answer from the chain, no funds, broken training, a full
 * disk.
 */
export async function participate(context: ParticipantContext): Promise<void> {
  await sideBySide(
    context.signal,
    (signal) => attendRounds({ ...context, signal }),
    (signal) =>
      watchChallenges({
        ...context,
        signal,
        open: (challenge, state) => openOwn(context, challenge, state),
        settles: false,
        send: (answers) => senderOf(context).answer(answers),
      }),
  );
}

async function attendRounds(context: ParticipantContext): Promise<void> {
  const { federation, signal, pollMs, report } = context;
  const { totalRounds } = federation.parameters;
  let refusedOpening = 0;
  const memory: Memory = { lastBase: null, opening: 0, uncommitted: null };
  let told = '';
  const tellOnce = (reason: string): void => {
    if (reason !== told) report({ type: 'waiting', reason });
    told = reason;
  };
  for await (const view of followRounds(federation, { signal, ...(pollMs === undefined ? {} : { pollMs }) })) {
    if (view === null) {
      tellOnce(`for ${federation.parameters.minParticipants} participants and an aggregator to register`);
      continue;
    }
    await noteTooLate(context, view, memory);
    if (totalRounds !== 0 && (await federation.lastFinalRound()) === totalRounds) {
      try {
        await personaliseLast(context, totalRounds);
      } catch (error) {
        if (isUnavailable(error)) {
          tellOnce(`for the last model: ${error.message}`);
          continue;
        }
        if (!isTrainerFault(error)) throw error;
        report({ type: 'missed', round: totalRounds, reason: error.message });
      }
      report({ type: 'ended', rounds: totalRounds });
      return;
    }
    if (view.opening === refusedOpening) continue;
    try {
      if (view.phase === 'open' || view.phase === 'commit') await commit(context, view, memory);
      else if (view.phase === 'reveal') await reveal(context, view);
    } catch (error) {
      const refusal = revertName(error) ?? '';
      if (LOST_RACES.has(refusal)) continue;
      if (refusal === NORM_ABOVE_BOUND) {
        // Only an update that was never clipped: the round goes on without it, and the penalty is due.
        report({ type: 'refused', round: view.number, reason: refusal });
        refusedOpening = view.opening;
        continue;
      }
      if (refusal === 'NotExpected') {
        tellOnce(
          `for the next round: this account joined after the first commit of round ${view.number}, or is about to leave`,
        );
      } else if (refusal === 'StakeTooLow') {
        // Peers still need what this node serves, so it does not end.
        tellOnce('for a stake that suffices: a penalty was charged; start this node again and it tops up');
      } else if (error instanceof AssayError && error.code === 'RELAY_FAILED') {
        tellOnce(`for a relay, since this account has no coin for gas: ${error.message}`);
      } else if (isUnavailable(error)) {
        tellOnce(`for the base model of round ${view.number}: ${error.message}`);
      } else if (isWrongModel(error)) {
        // Nothing this node can do makes this round's model right; the next one may be.
        report({ type: 'modelRefused', round: view.number, message: error.message });
        refusedOpening = view.opening;
      } else if (isTrainerFault(error) || isTooLate(error)) {
        // It costs one round; peers go on finding this node's payloads.
        if (!signal.aborted) report({ type: 'missed', round: view.number, reason: error.message });
        refusedOpening = view.opening;
      } else throw error;
    }
  }
}

/** A task that a trainer could not do. The next one may go better, where a trainer that cannot be started is no use. */
function isTrainerFault(error: unknown): error is AssayError {
  const faults = ['TRAINER_FAILED', 'TRAINER_TIMEOUT', 'TRAINER_RESULT', 'TRAINER_PROTOCOL'];
  return error instanceof AssayError && faults.includes(error.code);
}

function isTooLate(error: unknown): error is AssayError {
  return error instanceof AssayError && error.code === 'COMMIT_TOO_LATE';
}

/** From the last model, which no round trains on any more. */
async function personaliseLast(context: ParticipantContext, totalRounds: number): Promise<void> {
  const { federation, state, kernels } = context;
  if (context.personalise === undefined) return;
  const { modelRoot, baseModelRoot } = await federation.round(totalRounds);
  // An abandoned round has no model of its own.
  const { model } = await fetchModel(context, /^0x0*$/.test(modelRoot) ? baseModelRoot : modelRoot);
  const { modelFractionBits } = federation.parameters;
  const weights = kernels?.quantize.fixedToFloat(model, modelFractionBits) ?? fixedToFloat(model, modelFractionBits);
  const submission = await readSubmission(state);
  const kept = nextKept(submission, totalRounds + 1).memory;
  await makePersonalModel(context, totalRounds, weights, kept === null ? {} : await readMemory(state, kept));
}

function senderOf({ sender, federation, signer }: ParticipantContext): Sender {
  return sender ?? ownTransactions(federation, signer);
}

async function commit(context: ParticipantContext, view: RoundView, memory: Memory): Promise<void> {
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
async function noteTooLate({ federation, signer, report }: ParticipantContext, view: RoundView, memory: Memory) {
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

async function reveal(context: ParticipantContext, view: RoundView): Promise<void> {
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

function isUnavailable(error: unknown): error is AssayError {
  // A model whose publication the chain node does not show (yet) may come with its next answer.
  return error instanceof AssayError && ['PAYLOAD_UNAVAILABLE', 'UNKNOWN_MODEL'].includes(error.code);
}

const WRONG_MODEL: ReadonlySet<string> = new Set(['MODEL_ROOT', 'PAYLOAD_PADDING', ...PROVABLY_INVALID]);

/** Whoever published the model did not store what it committed to: not this operator's fault. */
function isWrongModel(error: unknown): error is AssayError {
  return error instanceof AssayError && WRONG_MODEL.has(error.code);
}

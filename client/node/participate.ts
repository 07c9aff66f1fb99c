/**
 * A participant's node: follows the rounds of a federation and does its part in each. Every step looks at the chain and
 * at the state folder first, so a node that was killed and started again goes on where it was.
 */

import { watchChallenges } from '../../chain/answerChallenges.ts';
import { followRounds, sideBySide } from '../../chain/followRounds.ts';
import { revertName } from '../../chain/revert.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import { AssayError } from '../../protocol/errors.ts';
import { PROVABLY_INVALID } from '../../storage/fetchPayload.ts';
import type { ParticipantContext } from './context.ts';
import { readMemory } from './keptMemory.ts';
import { openOwn } from './openOwn.ts';
import { makePersonalModel } from './personalModel.ts';
import { senderOf } from './sender.ts';
import { nextKept, readSubmission } from './submissionState.ts';
import { type BetweenLooks, commit, noteTooLate, reveal } from './submitUpdate.ts';
import { fetchModel } from './trainUpdate.ts';

/** The phase moved on between a look and an act: look again. */
const LOST_RACES = new Set(['WrongPhase', 'AlreadyCommitted', 'AlreadyRevealed', 'SeedNotFixed']);

/** What the contract says to the reveal of an update beyond the norm bound. */
const NORM_ABOVE_BOUND = 'NormAboveBound';

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
  const memory: BetweenLooks = { lastBase: null, opening: 0, uncommitted: null };
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

function isUnavailable(error: unknown): error is AssayError {
  // A model whose publication the chain node does not show (yet) may come with its next answer.
  return error instanceof AssayError && ['PAYLOAD_UNAVAILABLE', 'UNKNOWN_MODEL'].includes(error.code);
}

const WRONG_MODEL: ReadonlySet<string> = new Set(['MODEL_ROOT', 'PAYLOAD_PADDING', ...PROVABLY_INVALID]);

/** Whoever published the model did not store what it committed to: not this operator's fault. */
function isWrongModel(error: unknown): error is AssayError {
  return error instanceof AssayError && WRONG_MODEL.has(error.code);
}

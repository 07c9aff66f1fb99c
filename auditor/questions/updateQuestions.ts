/** Are the updates there, and are they what was revealed? */
import type { Finding } from '../../protocol/dispute/finding.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import type { UpdateFacts } from '../../protocol/round/roundIo.ts';
import { rowOrder, type Submission } from '../../protocol/round/submission.ts';
import type { AuditContext } from '../auditContext.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import { answersAbout } from '../disputes/answers.ts';
import { patchedUpdate } from '../disputes/patchedUpdate.ts';
import { finding, participant } from '../finding.ts';
import { cidTextOrNull } from '../payloads/cidText.ts';
import type { Holdings } from '../payloads/holdings.ts';
import type { Payload } from '../payloads/payload.ts';
import { updateFacts } from '../payloads/roots.ts';

/**
 * One submission that counts, with what its payload turned out to be. `invalid`: the bytes under the CID are others than
 * was committed to. What the contract counts and nobody can compute with is a breach: a proof or a challenge must end it.
 */
export type AuditedUpdate = HeldUpdate | FailedUpdate;

export interface HeldUpdate {
  readonly submission: Submission;
  readonly status: 'holds';
  readonly payload: Payload;
}

export interface FailedUpdate {
  readonly submission: Submission;
  readonly status: 'invalid' | 'unavailable';
  readonly finding: Finding;
  /** The bytes under the CID, where they are there and of the right length. */
  readonly payload: Payload | null;
}

/** A payload of the right length, of which no more is known. */
export interface FetchedUpdate {
  readonly submission: Submission;
  readonly status: 'fetched';
  readonly payload: Payload;
}

/** In participant order, voided submissions left out. The payloads are `holdings`'s to release. */
export function fetchUpdates(
  context: AuditContext,
  round: RoundFacts,
  holdings: Holdings,
): Promise<(FetchedUpdate | FailedUpdate)[]> {
  const submissions = round.reveals.map(({ submission }) => submission);
  return Promise.all(
    rowOrder(submissions, round.voided).map((submission) => fetchUpdate(context, round, submission, holdings)),
  );
}

/** `facts` of each, where they have been computed already. */
export async function judgeUpdates(
  context: AuditContext,
  round: RoundFacts,
  fetched: readonly (FetchedUpdate | FailedUpdate)[],
  facts: readonly UpdateFacts[] | null = null,
): Promise<AuditedUpdate[]> {
  const updates: AuditedUpdate[] = [];
  for (const [i, update] of fetched.entries()) {
    const known = facts?.[i] ?? null;
    updates.push(await judgeUpdate(context, round, update, known));
  }
  return updates;
}

async function judgeUpdate(
  context: AuditContext,
  round: RoundFacts,
  fetched: FetchedUpdate | FailedUpdate,
  known: UpdateFacts | null,
): Promise<AuditedUpdate> {
  const { layout, replayer } = context;
  const { hasher } = replayer.engine;
  let update: AuditedUpdate;
  if (fetched.status !== 'fetched') update = fetched;
  else update = judgeServed(round, fetched, known ?? (await updateFacts(fetched.payload, layout, hasher)));
  if (update.status === 'holds') return update;
  const { submission } = update;
  const answers = answersAbout(
    context.answers.filter((answer) => answer.round === round.round),
    'update',
    submission.index,
  );
  const payload = await patchedUpdate(layout, submission, update.payload, answers);
  return payload === null ? update : { submission, status: 'holds', payload };
}

async function fetchUpdate(
  { layout, payloads }: AuditContext,
  round: RoundFacts,
  submission: Submission,
  holdings: Holdings,
): Promise<FetchedUpdate | FailedUpdate> {
  const who = `participant ${submission.index}`;
  const cid = cidTextOrNull(submission.cid);
  if (cid === null) {
    const message = `The CID that ${who} revealed is none.`;
    return failed(round, submission, 'payloadInvalid', message, 'a CIDv1', 'other bytes');
  }
  const length = updatePayloadLength(layout);
  const outcome = await payloads.read({ cid, exactBytes: length, maxBytes: length, owner: submission.participant });
  if (outcome.status === 'found') {
    return { submission, status: 'fetched', payload: holdings.hold(outcome.payload) };
  }
  const invalid = outcome.status === 'invalid';
  return failed(
    round,
    submission,
    invalid ? 'payloadInvalid' : 'payloadUnavailable',
    `The payload of ${who} ${invalid ? 'is not what its CID and the federation’s size say' : 'could not be had from any source'}.`,
    `${length} bytes with the CID ${cid}`,
    outcome.attempts.join('; '),
  );
}

function judgeServed(
  round: RoundFacts,
  { submission, payload }: FetchedUpdate,
  { root, normSq, zeroPadded }: UpdateFacts,
): AuditedUpdate {
  const who = `participant ${submission.index}`;
  if (!zeroPadded) {
    const message = `The payload of ${who} is not an update.`;
    const received = 'another value in the padding';
    return failed(round, submission, 'payloadInvalid', message, 'zero padding', received, payload);
  }
  if (root !== submission.root || normSq !== submission.normSq) {
    return failed(
      round,
      submission,
      'commitmentMismatch',
      `The payload of ${who} does not have the ${root === submission.root ? 'squared norm' : 'root'} that was revealed.`,
      `root ${root}, squared norm ${normSq}`,
      `root ${submission.root}, squared norm ${submission.normSq}`,
      payload,
    );
  }
  return { submission, status: 'holds', payload };
}

function failed(
  round: RoundFacts,
  submission: Submission,
  kind: Finding['kind'],
  message: string,
  expected: string,
  received: string,
  payload: Payload | null = null,
): FailedUpdate {
  const accused = participant(submission.participant);
  return {
    submission,
    status: kind === 'payloadUnavailable' ? 'unavailable' : 'invalid',
    payload,
    finding: finding(kind, round.round, accused, message, { expected, received }),
  };
}

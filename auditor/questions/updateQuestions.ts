/** Are the updates there, and are they what was revealed? */
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import type { Finding } from '../../protocol/dispute/finding.ts';
import { decodeUpdate, updatePayloadLength, viewInt16 } from '../../protocol/encoding/vectors.ts';
import { rowOrder, type Submission } from '../../protocol/round/submission.ts';
import type { AuditContext } from '../auditContext.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import { answersAbout } from '../disputes/answers.ts';
import { patchedUpdate } from '../disputes/patchedUpdate.ts';
import { finding, participant } from '../finding.ts';
import { cidTextOrNull } from '../payloads/cidText.ts';

/**
 * One submission that counts, with what its payload turned out to be. `invalid`: the bytes under the CID are others than
 * was committed to. What the contract counts and nobody can compute with is a breach: a proof or a challenge must end it.
 */
export type AuditedUpdate =
  | { readonly submission: Submission; readonly status: 'holds'; readonly row: Int16Array; readonly bytes: number }
  | {
      readonly submission: Submission;
      readonly status: 'invalid' | 'unavailable';
      readonly finding: Finding;
      /** The bytes under the CID, where they are there and of the right length. */
      readonly payload: Uint8Array | null;
    };

/** In participant order, voided submissions left out. */
export function readUpdates(context: AuditContext, round: RoundFacts): Promise<AuditedUpdate[]> {
  const submissions = round.reveals.map(({ submission }) => submission);
  return Promise.all(rowOrder(submissions, round.voided).map((submission) => readUpdate(context, round, submission)));
}

async function readUpdate(context: AuditContext, round: RoundFacts, submission: Submission): Promise<AuditedUpdate> {
  const update = await readServed(context, round, submission);
  if (update.status === 'holds') return update;
  const answers = answersAbout(
    context.answers.filter((answer) => answer.round === round.round),
    'update',
    submission.index,
  );
  const bytes = await patchedUpdate(context.layout, submission, update.payload, answers);
  return bytes === null ? update : { submission, status: 'holds', row: viewInt16(bytes), bytes: bytes.length };
}

async function readServed(context: AuditContext, round: RoundFacts, submission: Submission): Promise<AuditedUpdate> {
  const { layout, payloads } = context;
  const fail = (
    status: 'invalid' | 'unavailable',
    kind: Finding['kind'],
    message: string,
    expected: string,
    received: string,
    payload: Uint8Array | null = null,
  ): AuditedUpdate => ({
    submission,
    status,
    payload,
    finding: finding(kind, round.round, participant(submission.participant), message, {
      expected,
      received,
    }),
  });
  const who = `participant ${submission.index}`;
  const cid = cidTextOrNull(submission.cid);
  if (cid === null) {
    return fail('invalid', 'payloadInvalid', `The CID that ${who} revealed is none.`, 'a CIDv1', 'other bytes');
  }
  const length = updatePayloadLength(layout);
  const outcome = await payloads.read({ cid, exactBytes: length, maxBytes: length, owner: submission.participant });
  if (outcome.status !== 'found') {
    const invalid = outcome.status === 'invalid';
    return fail(
      outcome.status,
      invalid ? 'payloadInvalid' : 'payloadUnavailable',
      `The payload of ${who} ${invalid ? 'is not what its CID and the federation’s size say' : 'could not be had from any source'}.`,
      `${length} bytes with the CID ${cid}`,
      outcome.attempts.join('; '),
    );
  }
  try {
    decodeUpdate(outcome.bytes, layout);
  } catch (error) {
    const received = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return fail(
      'invalid',
      'payloadInvalid',
      `The payload of ${who} is not an update.`,
      'zero padding',
      received,
      outcome.bytes,
    );
  }
  const { root, normSq } = commitUpdate(outcome.bytes, layout);
  if (root !== submission.root || normSq !== submission.normSq) {
    return fail(
      'invalid',
      'commitmentMismatch',
      `The payload of ${who} does not have the ${root === submission.root ? 'squared norm' : 'root'} that was revealed.`,
      `root ${root}, squared norm ${normSq}`,
      `root ${submission.root}, squared norm ${submission.normSq}`,
      outcome.bytes,
    );
  }
  return { submission, status: 'holds', row: viewInt16(outcome.bytes), bytes: length };
}

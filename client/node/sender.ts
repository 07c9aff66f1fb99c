/** How a participant's messages reach the contract: by its own transactions, or through a relay. */
import { type Answer, answerChallenges } from '../../chain/challenges.ts';
import type { RoundView } from '../../chain/convert.ts';
import type { Federation } from '../../chain/federation.ts';
import type { Signer } from '../../chain/rpc.ts';
import type { Sent } from '../../chain/transaction.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import type { SubmissionState } from './submissionState.ts';

export type Delivered = Pick<Sent, 'hash' | 'gasUsed'>;

export interface Sender {
  commit(view: RoundView, commitHash: Hex): Promise<Delivered>;
  reveal(view: RoundView, submission: SubmissionState): Promise<Delivered>;
  answer(answers: readonly Answer[]): Promise<Delivered>;
}

/** By transactions of the signer. */
export function ownTransactions(federation: Federation, signer: Signer): Sender {
  return {
    commit: (view, commitHash) => federation.commitUpdate(signer, view.number, commitHash),
    reveal: (view, submission) =>
      federation.revealUpdate(signer, view.number, { ...submission, cid: cidToBytes(submission.cid) }),
    answer: (answers) => answerChallenges(federation, signer, answers),
  };
}

/** How this node's acts reach the contract. */
export function senderOf({
  sender,
  federation,
  signer,
}: {
  readonly sender?: Sender;
  readonly federation: Federation;
  readonly signer: Signer;
}): Sender {
  return sender ?? ownTransactions(federation, signer);
}

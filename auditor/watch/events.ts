/** What a watchtower tells: facts, in the order in which they happen. Amounts in the smallest unit of the stake's coin. */
import type { FindingKind } from '../../protocol/dispute/finding.ts';
import type { ProofKind } from '../../protocol/dispute/fraudProof.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { ChunkKind, StakedRole } from '../chain/decodeEvents.ts';
import type { RoundReport } from '../report/auditReport.ts';

interface ChallengeName {
  readonly id: Hex;
  readonly round: number;
  readonly kind: ChunkKind;
  /** The participant's index, for an update. */
  readonly index: number;
  readonly chunk: number;
}

interface InTransaction {
  readonly transaction: Hex;
  readonly gasUsed: bigint;
}

export type WatchEvent =
  | { readonly type: 'watching'; readonly account: Hex; readonly balanceWei: bigint; readonly proofBondWei: bigint }
  | {
      readonly type: 'audited';
      readonly round: number;
      readonly ok: boolean;
      readonly verified: RoundReport['verified'];
      readonly findings: readonly { readonly kind: FindingKind; readonly accused: Hex | null }[];
      readonly seconds: number;
    }
  /** A proof is in hand, and in this file. */
  | {
      readonly type: 'proven';
      readonly round: number;
      readonly proof: ProofKind;
      readonly accused: Hex;
      readonly role: StakedRole;
      readonly file: string | null;
    }
  | ({
      readonly type: 'convicted';
      readonly round: number;
      readonly proof: ProofKind;
      readonly accused: Hex;
      readonly role: StakedRole;
      readonly reward: bigint;
      readonly burned: bigint;
    } & InTransaction)
  /** The contract found the accused innocent: the bond is lost. */
  | ({
      readonly type: 'rejected';
      readonly round: number;
      readonly proof: ProofKind;
      readonly bond: bigint;
    } & InTransaction)
  | ({
      readonly type: 'asked';
      readonly owner: Hex;
      readonly bond: bigint;
      readonly answerBy: number;
      readonly why: string;
    } & ChallengeName &
      InTransaction)
  /** Somebody answered what this account had asked. */
  | ({ readonly type: 'answerCame'; readonly payee: Hex } & ChallengeName)
  /** Nobody answered in time, or it does not matter any more: the bond comes back. */
  | ({ readonly type: 'refunded' } & ChallengeName & InTransaction)
  /** This account answered what somebody else had asked, and earned the bond. */
  | ({ readonly type: 'answered'; readonly paid: bigint } & ChallengeName & InTransaction)
  /** Somebody lost a stake, whoever proved it. */
  | {
      readonly type: 'slashed';
      readonly round: number;
      readonly account: Hex;
      readonly role: StakedRole;
      readonly proof: ProofKind;
      readonly challenger: Hex;
      readonly amount: bigint;
      readonly transaction: Hex;
    }
  /** Something that had to be done was refused; it is tried again while it matters. */
  | {
      readonly type: 'refused';
      readonly round: number;
      readonly what: string;
      readonly code: string;
      readonly reason: string;
    }
  /** Bytes that are missing may still come: nothing is asked for on the chain before this much time. */
  | { readonly type: 'patient'; readonly round: number; readonly seconds: number; readonly why: string }
  | { readonly type: 'waiting'; readonly reason: string }
  | { readonly type: 'ended'; readonly rounds: number };

/** What a participant's node tells whoever runs it: facts, not prose. `scripts/` turns them into lines or JSON. */
import type { ChallengeEvent } from '../../chain/answerChallenges.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { Evaluation } from '../training/trainer.ts';

export type ParticipantEvent =
  | ChallengeEvent
  | {
      readonly type: 'registered';
      readonly account: Hex;
      readonly index: number;
      readonly stakeWei: bigint;
      readonly transactions: readonly Hex[];
      /** Null when nothing had to be sent. */
      readonly gasUsed: bigint | null;
    }
  | { readonly type: 'waiting'; readonly reason: string }
  | { readonly type: 'modelFetched'; readonly round: number; readonly modelRoot: Hex; readonly cid: string }
  | { readonly type: 'modelRefused'; readonly round: number; readonly message: string }
  | {
      readonly type: 'training';
      readonly round: number;
      readonly epoch: number;
      readonly epochs: number;
      readonly loss: number;
    }
  | {
      readonly type: 'trained';
      readonly round: number;
      /** Samples, or windows of text. */
      readonly samples: number;
      /** Minibatches. */
      readonly steps: number;
      /** Of the last pass, in nats: per sample, per token or per image. */
      readonly loss: number;
      readonly accuracy: number;
      /** exp(loss); null unless the model is one of language. */
      readonly perplexity: number | null;
      readonly seconds: number;
      /** L2 norm of the update before clipping, and the factor that clipping multiplied it with. */
      readonly norm: number;
      readonly clipFactor: number;
      /** Coordinates cut to the int16 range. */
      readonly saturated: number;
    }
  | {
      readonly type: 'stored';
      readonly round: number;
      readonly cid: string;
      readonly bytes: number;
      readonly root: Hex;
      readonly normSq: bigint;
    }
  /** The own model was made and written. Measured on held-out data, before it (the federation's) and after. */
  | {
      readonly type: 'personalised';
      readonly round: number;
      readonly method: string;
      readonly before: Evaluation | null;
      readonly after: Evaluation | null;
    }
  | { readonly type: 'resumed'; readonly round: number; readonly stage: string }
  | {
      readonly type: 'committed' | 'revealed';
      readonly round: number;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
      readonly root: Hex;
    }
  /** The contract does not take the update: `reason` is its error. */
  | { readonly type: 'refused'; readonly round: number; readonly reason: string }
  /** This node takes no part in the round: its trainer failed, or what it committed to is lost. */
  | { readonly type: 'missed'; readonly round: number; readonly reason: string }
  | { readonly type: 'ended'; readonly rounds: number };

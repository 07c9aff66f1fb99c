/** What a participant's node works with. `scripts/` composes it. */
import type { Signer } from '../../chain/rpc.ts';
import type { Sender } from './sender.ts';
import type { TrainContext } from './trainContext.ts';

export interface ParticipantContext extends TrainContext {
  readonly signer: Signer;
  /** How commits, reveals and answers reach the contract; default: by transactions of the signer. */
  readonly sender?: Sender;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

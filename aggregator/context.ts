/** What an aggregator's node works with. `scripts/` composes it. */
import type { Federation } from '../chain/federation.ts';
import type { Signer } from '../chain/rpc.ts';
import type { RoundEngine } from '../protocol/round/engine/roundEngine.ts';
import type { PayloadAccess } from '../storage/payloadAccess.ts';
import type { StateFolder } from '../storage/stateFolder.ts';
import type { Metrics } from './aggregateRound.ts';
import type { AggregatorEvent } from './events.ts';

export interface AggregatorContext {
  readonly federation: Federation;
  readonly signer: Signer;
  readonly state: StateFolder;
  readonly payloads: PayloadAccess;
  /** What computes the rounds. */
  readonly engine: RoundEngine;
  /** Evaluates a model on held-out data, where the operator has some. */
  readonly evaluate?: (model: Int32Array) => Promise<Metrics>;
  /** Only to demonstrate what an audit finds: changes the model before it is published. */
  readonly sabotage?: (round: number, model: Int32Array) => void;
  readonly report: (event: AggregatorEvent) => void;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

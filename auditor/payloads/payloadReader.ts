/** How the auditor gets bytes by CID: from untrusted gateways, or from an evidence bundle. */
import type { Payload } from './payload.ts';

export interface PayloadRequest {
  /** Text form, checked. */
  readonly cid: string;
  /** Length the file must have; absent where only `maxBytes` bounds it. */
  readonly exactBytes?: number;
  readonly maxBytes: number;
  /** Account whose own gateway most likely has it. */
  readonly owner?: string;
}

/**
 * `found`: the bytes hash to the CID and fit the request; whoever asked releases them. `invalid`: they hash to it and do not fit, which is the work of
 * who named the CID. `unavailable`: nobody gave its bytes; what a source sent instead is only that source's lie. Never an
 * exception for what a source does.
 */
export type PayloadOutcome =
  | { readonly status: 'found'; readonly payload: Payload; readonly source: string }
  | { readonly status: 'invalid' | 'unavailable'; readonly attempts: readonly string[] };

export interface PayloadReader {
  readonly name: string;
  read(request: PayloadRequest): Promise<PayloadOutcome>;
}

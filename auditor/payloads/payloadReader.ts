/** How the auditor gets bytes by CID: from untrusted gateways, or from an evidence bundle. */

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
 * `found`: the bytes hash to the CID and fit the request. `invalid`: they do not fit, or what came did not hash to the
 * CID. `unavailable`: nobody gave anything. Never an exception for what a source does.
 */
export type PayloadOutcome =
  | { readonly status: 'found'; readonly bytes: Uint8Array; readonly source: string }
  | { readonly status: 'invalid' | 'unavailable'; readonly attempts: readonly string[] };

export interface PayloadReader {
  readonly name: string;
  read(request: PayloadRequest): Promise<PayloadOutcome>;
}

/** Where payloads can be fetched from: the one interface of the node's own store, peers, Kubo and gateways. */
export interface FetchOptions {
  /** The largest payload to accept, in bytes. */
  readonly maxBytes: number;
  /** Aborts the fetch. */
  readonly signal?: AbortSignal;
}

export interface PayloadSource {
  /** For messages and reports, e.g. `peer http://127.0.0.1:4100`. */
  readonly name: string;
  /**
   * The payload's bytes in order, each piece verified against the CID before it is yielded.
   *
   * @throws AssayError when the source does not have it, stalls, breaks off or sends wrong bytes; the message names the
   * source.
   */
  fetch(cid: string, options: FetchOptions): AsyncIterable<Uint8Array>;
}

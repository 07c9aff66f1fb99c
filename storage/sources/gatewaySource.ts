/**
 * A trustless gateway as a source: another node of the federation, a Kubo gateway, or (by explicit option only) a
 * public one. The CAR it sends is verified block by block while it streams, so it can be slow or silent but not wrong.
 */

import { LEAF_BYTES, MAX_NODE_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../../protocol/errors.ts';
import { payloadFromCar } from './carStream.ts';
import { httpStream } from './httpStream.ts';
import type { PayloadSource } from './payloadSource.ts';

export interface GatewaySourceOptions {
  /** Nothing arriving for this long is an error. Default 15 s. */
  readonly idleMilliseconds?: number;
}

/**
 * The gateway of a peer.
 *
 * @param address e.g. `http://127.0.0.1:4100`; a path before `/ipfs` is kept.
 * @throws AssayError `PEER_ADDRESS` when it is no http(s) address.
 */
export function peerSource(address: string, options: GatewaySourceOptions = {}): PayloadSource {
  return gatewaySource('peer', address, { ...options, followRedirects: false });
}

/**
 * A public gateway such as those of the IPFS Foundation. Contacts the outside world and tells it which payloads
 * interest you: never a default, only what a user asked for by name. May redirect.
 */
export function publicGatewaySource(address: string, options: GatewaySourceOptions = {}): PayloadSource {
  return gatewaySource('public gateway', address, { ...options, followRedirects: true });
}

function gatewaySource(
  kind: string,
  address: string,
  { idleMilliseconds = 15_000, followRedirects }: GatewaySourceOptions & { followRedirects: boolean },
): PayloadSource {
  const base = parseAddress(address);
  const holder = `${kind} ${base.href.replace(/\/$/, '')}`;
  return {
    name: holder,
    async *fetch(cid, { maxBytes, signal }) {
      const http = { holder, idleMilliseconds, followRedirects, ...(signal === undefined ? {} : { signal }) };
      const at = (query: string): URL => new URL(`${base.pathname.replace(/\/$/, '')}/ipfs/${cid}?${query}`, base);
      const car = httpStream(at('format=car&dag-scope=entity&car-dups=y'), {
        ...http,
        accept: 'application/vnd.ipld.car; version=1; order=dfs; dups=y',
      });
      const fetchBlock = async (block: string): Promise<Uint8Array> => {
        const url = new URL(`${base.pathname.replace(/\/$/, '')}/ipfs/${block}?format=raw`, base);
        return readBlock(httpStream(url, { ...http, accept: 'application/vnd.ipld.raw' }));
      };
      yield* payloadFromCar(cid, car, { holder, maxBytes, fetchBlock });
    },
  };
}

/** One block, cut one byte above what a block may have: the hash then refuses it. */
async function readBlock(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const limit = Math.max(LEAF_BYTES, MAX_NODE_BYTES) + 1;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= limit) break;
  }
  return Buffer.concat(pieces);
}

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new AssayError('PEER_ADDRESS', {
    summary: 'this is not the address of a gateway',
    expected: 'http://host:port or https://host',
    received: JSON.stringify(address),
  });
}

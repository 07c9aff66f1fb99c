/**
 * The trustless gateway of a node: its payload store over HTTP, as blocks that whoever receives them can verify. Nobody
 * has to believe this server: a wrong byte is a hash mismatch at the other end. It gives what is public by the protocol
 * (payloads whose CIDs are on the chain), never lists what it holds, and writes nothing.
 *
 *     GET|HEAD /ipfs/<cid>?format=raw    one block
 *     GET|HEAD /ipfs/<cid>?format=car    the payload's blocks in depth-first order
 *
 * Source: https://specs.ipfs.tech/http-gateways/trustless-gateway/
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseCid } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';
import { encodeCarHeader, encodeSectionHead } from './car.ts';
import { type GatewayRequest, PROBE_CID, parseGatewayRequest } from './gatewayRequest.ts';
import type { PayloadStore } from './payloadStore.ts';

export interface GatewayOptions {
  readonly store: PayloadStore;
  /** Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** A connection on which nothing moves for this long is closed. Default 60 s. */
  readonly idleMilliseconds?: number;
  /** Answers requests that are not about payloads; false for those it leaves to the gateway. */
  readonly beside?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
  /** Told about failures inside the server (a damaged store), which the other side sees only as a broken answer. */
  readonly onError?: (error: unknown) => void;
}

export interface Gateway {
  /** For example http://127.0.0.1:4100, without a slash at the end. */
  readonly url: string;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

/**
 * Starts a gateway over `store`.
 *
 * @throws AssayError `PORT_TAKEN` when another program listens there, `GATEWAY_LISTEN` when the system refuses.
 * @example
 * const gateway = await startGateway({ store, port: 4100 });
 * // curl 'http://127.0.0.1:4100/ipfs/<cid>?format=car' > payload.car
 * await gateway.close();
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { store, host = '127.0.0.1', port = 0, idleMilliseconds = 60_000, onError = () => undefined } = options;
  const { beside = async () => false } = options;
  const server = createServer((request, response) => {
    const done = async (): Promise<void> => {
      if (!(await beside(request, response))) await answer(store, request, response);
    };
    done().catch((error: unknown) => {
      if (response.destroyed) return; // the other side went away
      onError(error);
      // A broken connection tells the client that the answer is incomplete; a clean end would not.
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'The store of this gateway cannot give this payload.');
    });
  });
  server.timeout = idleMilliseconds;
  server.maxConnections = 512;
  await listen(server, host, port);
  server.on('error', onError); // such as too many open files: one connection is lost, not the node
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function answer(store: PayloadStore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Expose-Headers', 'Content-Length, X-Ipfs-Path, X-Ipfs-Roots');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method === 'OPTIONS') {
    response.writeHead(204, { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': '*' });
    response.end();
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    sendText(response, 405, 'GET and HEAD only.');
    return;
  }
  const wanted = parseGatewayRequest(request.url ?? '/', request.headers.accept ?? '');
  if ('status' in wanted) {
    sendText(response, wanted.status, wanted.message);
    return;
  }
  const onlyCached = /\bonly-if-cached\b/.test(request.headers['cache-control'] ?? '');
  const etag = etagOf(wanted);
  if (await isUnchanged(store, wanted, request.headers['if-none-match'], etag)) {
    response.writeHead(304, { Etag: etag }).end();
    return;
  }
  const head = request.method === 'HEAD';
  const found =
    wanted.format === 'raw'
      ? await sendBlock(store, wanted, response, etag, head)
      : await sendCar(store, wanted, response, etag, head);
  if (!found) sendText(response, onlyCached ? 412 : 404, `This node does not hold ${wanted.cid}.`);
}

async function sendBlock(
  store: PayloadStore,
  wanted: GatewayRequest,
  response: ServerResponse,
  etag: string,
  head: boolean,
): Promise<boolean> {
  const block = wanted.cid === PROBE_CID ? new Uint8Array(0) : await store.block(wanted.cid);
  if (block === undefined) return false;
  response.writeHead(200, {
    ...contentHeaders(wanted, etag),
    'Content-Type': 'application/vnd.ipld.raw',
    'Content-Disposition': `attachment; filename="${wanted.cid}.bin"`,
    'Content-Length': block.length,
  });
  response.end(head ? undefined : block);
  return true;
}

async function sendCar(
  store: PayloadStore,
  wanted: GatewayRequest,
  response: ServerResponse,
  etag: string,
  head: boolean,
): Promise<boolean> {
  const payload = wanted.cid === PROBE_CID ? undefined : await store.stat(wanted.cid);
  // A block inside a payload has no file of its own; by itself it can be sent all the same.
  const single = wanted.scope === 'block' || payload === undefined ? await blockForCar(store, wanted) : undefined;
  if (payload === undefined && single === undefined) return false;
  response.writeHead(200, {
    ...contentHeaders(wanted, etag),
    'Content-Type': `application/vnd.ipld.car; version=1; order=dfs; dups=${wanted.duplicates ? 'y' : 'n'}`,
    'Content-Disposition': `attachment; filename="${wanted.cid}.car"`,
  });
  if (head) {
    response.end();
    return true;
  }
  await send(response, wanted.cid === PROBE_CID ? encodeCarHeader([]) : encodeCarHeader([wanted.cid]));
  if (single !== undefined) {
    if (wanted.cid !== PROBE_CID) await send(response, encodeSectionHead(wanted.cid, single.length));
    await send(response, single);
  } else {
    const sent = new Set<string>();
    for await (const block of store.blocks(wanted.cid, spanOf(wanted, payload?.bytes ?? 0))) {
      if (!wanted.duplicates && sent.has(block.cid)) continue;
      if (!wanted.duplicates) sent.add(block.cid);
      await send(response, encodeSectionHead(block.cid, block.bytes.length));
      await send(response, block.bytes);
    }
  }
  response.end();
  return true;
}

async function blockForCar(store: PayloadStore, wanted: GatewayRequest): Promise<Uint8Array | undefined> {
  if (wanted.cid === PROBE_CID) return new Uint8Array(0);
  // Only a leaf is complete by itself; a node without its children is an answer to `dag-scope=block` and to nothing
  // else.
  if (wanted.scope !== 'block' && parseCid(wanted.cid).codec !== 'raw') return undefined;
  return store.block(wanted.cid);
}

/**
 * The half-open span of file bytes behind `entity-bytes`, whose end is inclusive and whose negatives count from the
 * end.
 */
function spanOf(wanted: GatewayRequest, fileBytes: number): { from?: number; to?: number } {
  if (wanted.entityBytes === undefined) return {};
  const { from, to } = wanted.entityBytes;
  const start = from < 0 ? Math.max(0, fileBytes + from) : from;
  const end = to === undefined ? fileBytes : to < 0 ? fileBytes + to : to;
  return { from: start, to: end + 1 };
}

function contentHeaders(wanted: GatewayRequest, etag: string): Record<string, string> {
  return {
    Etag: etag,
    // The content of a CID never changes (29030400 s is the specification's own "for ever").
    'Cache-Control': 'public, max-age=29030400, immutable',
    'X-Ipfs-Path': `/ipfs/${wanted.cid}`,
    'X-Ipfs-Roots': wanted.cid,
    'Accept-Ranges': 'none',
    Vary: 'Accept',
    ...(wanted.negotiated ? { 'Content-Location': `/ipfs/${wanted.cid}?format=${wanted.format}` } : {}),
  };
}

function etagOf({ cid, format, scope, duplicates, entityBytes }: GatewayRequest): string {
  if (format === 'raw') return `"${cid}.raw"`;
  const span = entityBytes === undefined ? '' : `.${entityBytes.from}_${entityBytes.to ?? 'end'}`;
  return `W/"${cid}.car.${scope}.${duplicates ? 'y' : 'n'}${span}"`;
}

async function isUnchanged(
  store: PayloadStore,
  wanted: GatewayRequest,
  ifNoneMatch: string | undefined,
  etag: string,
): Promise<boolean> {
  if (ifNoneMatch === undefined || wanted.cid === PROBE_CID || !(await store.has(wanted.cid))) return false;
  const bare = (tag: string): string => tag.trim().replace(/^W\//, '');
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || bare(tag) === bare(etag));
}

/** Writes and waits until there is room again, so that a slow reader never fills our memory. */
async function send(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  if (response.destroyed) throw new Error('the client closed the connection');
  if (response.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      response.off('drain', settle);
      response.off('close', settle);
      if (response.destroyed) reject(new Error('the client closed the connection'));
      else resolve();
    };
    response.on('drain', settle);
    response.on('close', settle);
  });
}

function sendText(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(`${message}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      reject(
        new AssayError(taken ? 'PORT_TAKEN' : 'GATEWAY_LISTEN', {
          summary: `the gateway cannot listen on ${host}:${port}`,
          expected: 'a free port on an address of this machine',
          received: taken ? 'another program listens there already' : cause.message,
          fix: taken ? 'stop that program, or choose another port (0 takes any free one)' : 'check host and port',
          cause,
        }),
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

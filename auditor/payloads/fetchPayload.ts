/**
 * One payload from one untrusted IPFS gateway over HTTP (the trustless gateway specification: a raw block, or a CAR of
 * a file's blocks). Bytes an attacker controls come in here and nowhere else: size, time and content are all bounded.
 *
 * Source: https://specs.ipfs.tech/http-gateways/trustless-gateway/
 */
import { CarBlockIterator } from '@ipld/car';
import { parseCid } from '../../protocol/encoding/cid.ts';
import {
  blockCid,
  DAG_PB_CODEC,
  LEAF_BYTES,
  MAX_NODE_BYTES,
  NODE_LINKS,
  RAW_CODEC,
} from '../../protocol/encoding/unixfsFile.ts';
import { assembleFile, checkRootNode, SourceFailure, SourceStall, UnusableContent } from './assembleFile.ts';
import type { PayloadRequest } from './payloadReader.ts';

export interface FetchLimits {
  /** Longest silence of a gateway, before its answer and within it. */
  readonly idleMilliseconds: number;
}

/** @throws SourceFailure (ask another source) or UnusableContent (no source can help). */
export async function fetchPayload(gateway: string, request: PayloadRequest, limits: FetchLimits): Promise<Uint8Array> {
  const { codec } = parseCid(request.cid);
  const format = codec === 'raw' ? 'raw' : 'car';
  const url = `${gateway.replace(/\/+$/, '')}/ipfs/${request.cid}?format=${format}${format === 'car' ? '&dag-scope=all' : ''}`;
  const idle = new IdleLimit(limits.idleMilliseconds);
  try {
    const response = await fetch(url, {
      headers: { accept: `application/vnd.ipld.${format}` },
      redirect: 'error', // a gateway that was not named must not be asked
      signal: idle.signal,
    });
    if (!response.ok) throw new SourceFailure(`answered ${response.status}`);
    if (response.body === null) throw new SourceFailure('sent nothing');
    // A raw block may be a whole leaf: then its hash still tells whether the owner or the gateway is to blame for the
    // length.
    const body = capped(response.body, format === 'raw' ? LEAF_BYTES : carBytesBound(request.maxBytes), idle);
    if (format === 'raw') return await assembleFile(request, await wholeBlock(request.cid, body));
    return await assembleFile(request, await carBlocks(request, body));
  } catch (error) {
    if (error instanceof SourceFailure || error instanceof UnusableContent) throw error;
    if (idle.expired) throw new SourceStall(`was silent for ${limits.idleMilliseconds} ms`);
    const reason = error instanceof Error ? causeMessage(error) : String(error);
    throw new SourceStall(`failed: ${reason}`);
  } finally {
    idle.stop();
  }
}

/** Most bytes of a CAR with a file of `fileBytes`: leaves, their nodes, and a frame (varint and CID) for each. */
function carBytesBound(fileBytes: number): number {
  const leaves = Math.max(1, Math.ceil(fileBytes / LEAF_BYTES));
  const nodes = Math.ceil(leaves / NODE_LINKS) + 2;
  return fileBytes + nodes * MAX_NODE_BYTES + (leaves + nodes) * 64 + 4096;
}

async function wholeBlock(cid: string, body: AsyncIterable<Uint8Array>): Promise<() => Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  const bytes = new Uint8Array(Buffer.concat(parts)); // own, aligned memory: the chunks become typed-array views
  if (blockCid(RAW_CODEC, bytes) !== cid) throw new SourceFailure('sent bytes that do not hash to the CID');
  return () => bytes;
}

async function carBlocks(
  request: PayloadRequest,
  body: AsyncIterable<Uint8Array>,
): Promise<(cid: string) => Uint8Array> {
  const blocks = new Map<string, Uint8Array>();
  for await (const { cid, bytes } of await CarBlockIterator.fromIterable(body)) {
    const name = cid.toString();
    const codec = cid.code === RAW_CODEC ? RAW_CODEC : DAG_PB_CODEC;
    if (blockCid(codec, bytes) !== name) throw new SourceFailure(`sent a block that does not hash to ${name}`);
    if (name === request.cid) checkRootNode(request, bytes); // a file of the wrong length is not fetched to its end
    blocks.set(name, bytes);
  }
  return (cid) => {
    const block = blocks.get(cid);
    if (block === undefined) throw new SourceFailure(`left out block ${cid}`);
    return block;
  };
}

async function* capped(body: ReadableStream<Uint8Array>, maxBytes: number, idle: IdleLimit): AsyncIterable<Uint8Array> {
  let received = 0;
  for await (const part of body) {
    idle.touch();
    received += part.length;
    idle.checkSpeed(received);
    if (received > maxBytes) throw new SourceFailure(`sent more than the ${maxBytes} bytes that can be right`);
    yield part;
  }
}

/** Slower than this after the first idle limit is silence in disguise: one byte now and then. */
const LEAST_BYTES_PER_SECOND = 1024;

/** Aborts when nothing has come for a while. */
class IdleLimit {
  expired = false;
  private readonly since = performance.now();
  private readonly controller = new AbortController();
  private readonly milliseconds: number;
  private timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    this.milliseconds = milliseconds;
    this.timer = this.start();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  touch(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  /** @throws SourceStall when no more than `received` bytes have come in all this time. */
  checkSpeed(received: number): void {
    const elapsed = performance.now() - this.since;
    if (elapsed <= this.milliseconds || received >= (LEAST_BYTES_PER_SECOND * elapsed) / 1000) return;
    throw new SourceStall(`was too slow: ${received} bytes in ${Math.round(elapsed)} ms`);
  }

  /** Also frees the connection, when the answer was not read to its end. */
  stop(): void {
    clearTimeout(this.timer);
    this.controller.abort();
  }

  private start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.expired = true;
      this.controller.abort();
    }, this.milliseconds);
  }
}

/** fetch wraps what happened ("fetch failed"); the cause says it. */
function causeMessage(error: Error): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message || String((cause as { code?: unknown }).code ?? error.message);
}

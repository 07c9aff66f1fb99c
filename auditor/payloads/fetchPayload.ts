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
import { AssayError } from '../../protocol/errors.ts';
import type { FileRange } from '../../protocol/round/roundIo.ts';
import {
  assembleFile,
  type BlockPlace,
  type Blocks,
  checkRootNode,
  SourceFailure,
  SourceStall,
  UnusableContent,
} from './assembleFile.ts';
import type { Payload } from './payload.ts';
import type { PayloadRequest } from './payloadReader.ts';
import type { Spool, Spools } from './spool.ts';

/** Of a payload whose length nobody fixed: an evidence document. */
const USUAL_BYTES = 2 ** 16;

export interface FetchLimits {
  /** Longest silence of a gateway, before its answer and within it. */
  readonly idleMilliseconds: number;
}

/**
 * Blocks go to a spool as they arrive, each compared with its CID first.
 * @throws SourceFailure (ask another source) or UnusableContent (no source can help).
 */
export async function fetchPayload(
  gateway: string,
  request: PayloadRequest,
  limits: FetchLimits,
  spools: Spools,
): Promise<Payload> {
  const { codec } = parseCid(request.cid);
  const format = codec === 'raw' ? 'raw' : 'car';
  const url = `${gateway.replace(/\/+$/, '')}/ipfs/${request.cid}?format=${format}${format === 'car' ? '&dag-scope=all' : ''}`;
  const idle = new IdleLimit(limits.idleMilliseconds);
  const spool = await spools.create(request.exactBytes ?? Math.min(request.maxBytes, USUAL_BYTES));
  let payload: Payload | null = null;
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
    const blocks = new SpooledBlocks(spool, blocksBound(request.maxBytes));
    if (format === 'raw') await blocks.add(request.cid, await wholeBlock(request.cid, body));
    else await addCar(blocks, request, body);
    payload = await assembleFile(request, blocks);
    return payload;
  } catch (error) {
    if (error instanceof SourceFailure || error instanceof UnusableContent) throw error;
    if (error instanceof AssayError && isOwnFailure(error)) throw error;
    if (idle.expired) throw new SourceStall(`was silent for ${limits.idleMilliseconds} ms`);
    const reason = error instanceof Error ? causeMessage(error) : String(error);
    throw new SourceStall(`failed: ${reason}`);
  } finally {
    idle.stop();
    if (payload === null) await spool.release();
  }
}

/** Whether it is this machine that could not keep the bytes. */
function isOwnFailure({ code }: AssayError): boolean {
  return code === 'DISK_FULL' || code === 'FILE_WRITE';
}

/** Most blocks of a file of `fileBytes`. */
function blocksBound(fileBytes: number): number {
  const leaves = Math.max(1, Math.ceil(fileBytes / LEAF_BYTES));
  return leaves + Math.ceil(leaves / NODE_LINKS) + 2;
}

/** Most bytes of a CAR with a file of `fileBytes`: leaves, their nodes, and a frame (varint and CID) for each. */
function carBytesBound(fileBytes: number): number {
  const blocks = blocksBound(fileBytes);
  const leaves = Math.max(1, Math.ceil(fileBytes / LEAF_BYTES));
  return fileBytes + (blocks - leaves) * MAX_NODE_BYTES + blocks * 64 + 4096;
}

/** Blocks in the order in which they came. */
class SpooledBlocks implements Blocks {
  private readonly spool: Spool;
  private readonly most: number;
  private readonly places = new Map<string, BlockPlace>();

  constructor(spool: Spool, most: number) {
    this.spool = spool;
    this.most = most;
  }

  async add(cid: string, bytes: Uint8Array): Promise<void> {
    if (this.places.has(cid)) return;
    if (this.places.size === this.most) throw new SourceFailure(`sent more blocks than the ${this.most} of the file`);
    this.places.set(cid, { offset: await this.spool.append(bytes), length: bytes.length });
  }

  find(cid: string): BlockPlace {
    const place = this.places.get(cid);
    if (place === undefined) throw new SourceFailure(`left out block ${cid}`);
    return place;
  }

  get fileRange(): FileRange | null {
    return this.spool.fileRange ?? null;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    return this.spool.read(offset, into);
  }

  release(): Promise<void> {
    return this.spool.release();
  }
}

async function wholeBlock(cid: string, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  const bytes = Buffer.concat(parts);
  if (blockCid(RAW_CODEC, bytes) !== cid) throw new SourceFailure('sent bytes that do not hash to the CID');
  return bytes;
}

async function addCar(blocks: SpooledBlocks, request: PayloadRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const { cid, bytes } of await CarBlockIterator.fromIterable(body)) {
    const name = cid.toString();
    const codec = cid.code === RAW_CODEC ? RAW_CODEC : DAG_PB_CODEC;
    if (blockCid(codec, bytes) !== name) throw new SourceFailure(`sent a block that does not hash to ${name}`);
    if (name === request.cid) checkRootNode(request, bytes); // a file of the wrong length is not fetched to its end
    await blocks.add(name, bytes);
  }
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

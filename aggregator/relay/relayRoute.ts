/**
 * The relay over HTTP, on the node's own server:
 *
 *     GET  /relay    {"federation", "chainId", "account"}: whom it serves, and who is paid for answers it submits
 *     POST /relay    one message (relayMessage.ts) as JSON; answers when it is on the chain or refused
 *
 * 200 {"accepted": true, "transaction", "gasUsed"}; else {"accepted": false, "reason"}: 400 for what is no message, 409
 * for what the contract or the signature refuses, 413, 415, 429 and 503 for too large, no JSON, too often, too many.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RelayDesk, RelayOutcome } from './relayDesk.ts';
import { relayMessage } from './relayMessage.ts';

const PATH = '/relay';
const LARGEST_BODY_BYTES = 64 * 2 ** 10;

type Refusal = { readonly status: number; readonly reason: string };

/** A handler for the gateway's `beside`: true when the request was for the relay. */
export function relayRoute(desk: RelayDesk): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  return async (request, response) => {
    if (new URL(request.url ?? '/', 'http://relay.invalid').pathname !== PATH) return false;
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (request.method === 'OPTIONS') {
      const methods = { 'Access-Control-Allow-Methods': 'GET, POST', 'Access-Control-Allow-Headers': 'content-type' };
      response.writeHead(204, methods).end();
    } else if (request.method === 'GET') send(response, 200, desk.description);
    else if (request.method === 'POST') await take(desk, request, response);
    else {
      response.setHeader('Allow', 'GET, POST');
      send(response, 405, { accepted: false, reason: 'GET and POST only' });
    }
    return true;
  };
}

async function take(desk: RelayDesk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  if ('status' in body) return send(response, body.status, { accepted: false, reason: body.reason });
  const parsed = relayMessage.safeParse(body.json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const where = issue.path.join('.') || 'the message';
    return send(response, 400, { accepted: false, reason: `${where}: ${issue.message}` });
  }
  const outcome = await desk.submit(parsed.data);
  send(response, statusOf(outcome), outcome);
}

function statusOf(outcome: RelayOutcome): number {
  if (outcome.accepted) return 200;
  return { RATE_LIMIT: 429, BUSY: 503 }[outcome.reason] ?? 409;
}

async function readBody(request: IncomingMessage): Promise<{ readonly json: unknown } | Refusal> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return { status: 415, reason: 'the message is JSON: content-type application/json' };
  }
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > LARGEST_BODY_BYTES) return { status: 413, reason: `at most ${LARGEST_BODY_BYTES} bytes` };
    pieces.push(piece);
  }
  try {
    return { json: JSON.parse(Buffer.concat(pieces).toString('utf8')) };
  } catch {
    return { status: 400, reason: 'the message is not JSON' };
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? part.toString() : part));
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
  };
  response.writeHead(status, headers);
  response.end(text);
}

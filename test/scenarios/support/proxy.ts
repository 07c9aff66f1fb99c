/** A small HTTP proxy before a chain: cuts the line, or loses answers on their way back. */
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Cleanup } from './cleanup.ts';

export interface Proxy {
  readonly url: string;
  /** Answers lost so far. */
  readonly lost: number;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  mend(): void;
  /** Passes questions of that method on and breaks the connection instead of answering. */
  loseAnswersTo(method: string): void;
}

export async function startProxy(target: string, cleanup: Cleanup): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let losing: string | undefined;
  let lost = 0;
  const seen = new Set<string>();
  const server = createServer(async (incoming, outgoing) => {
    const body = await readBody(incoming);
    const upstream = httpRequest(target, { method: 'POST', headers: { 'content-type': 'application/json' } });
    upstream.on('error', () => outgoing.destroy());
    upstream.on('response', async (response) => {
      const answer = await readBody(response);
      if (losing !== undefined && body.includes(losing) && !seen.has(params(body))) {
        seen.add(params(body));
        lost++;
        return outgoing.destroy();
      }
      outgoing.writeHead(response.statusCode ?? 502, { 'content-type': 'application/json' }).end(answer);
    });
    upstream.end(body);
  });
  server.on('connection', (socket) => {
    if (isCut) return socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  cleanup.add(() => {
    cut();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get lost() {
      return lost;
    },
    cut,
    mend: () => {
      isCut = false;
    },
    loseAnswersTo: (method) => {
      losing = method;
    },
  };
}

/** The same question asked again has another id and the same parameters. */
function params(body: string): string {
  return JSON.stringify((JSON.parse(body) as { params?: unknown }).params);
}

async function readBody(stream: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece as string;
  return text;
}

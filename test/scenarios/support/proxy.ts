/** A small HTTP proxy before a chain: cuts the line, or loses answers on their way back. */
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Cleanup } from './cleanup.ts';

export interface Proxy {
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  mend(): void;
  /** Asked about each question once the chain has answered it: true breaks the connection instead of passing the answer on. */
  swallowAnswers(swallow: (method: string, params: string) => boolean): void;
}

export async function startProxy(target: string, cleanup: Cleanup): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let swallow: (method: string, params: string) => boolean = () => false;
  const server = createServer(async (incoming, outgoing) => {
    const body = await readBody(incoming);
    const upstream = httpRequest(target, { method: 'POST', headers: { 'content-type': 'application/json' } });
    upstream.on('error', () => outgoing.destroy());
    upstream.on('response', async (response) => {
      const answer = await readBody(response);
      const { method, params } = JSON.parse(body) as { method: string; params?: unknown };
      if (swallow(method, JSON.stringify(params))) return outgoing.destroy();
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
    cut,
    mend: () => {
      isCut = false;
    },
    swallowAnswers: (decide) => {
      swallow = decide;
    },
  };
}

async function readBody(stream: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece as string;
  return text;
}

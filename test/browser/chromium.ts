/** A page in a real Chromium, headless: served on loopback, thrown away with all the browser has written. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** `ASSAY_CHROMIUM`, or one on the PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const named = process.env.ASSAY_CHROMIUM;
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/**
 * Loads a page with `script` and returns what the script posts to /result.
 * @param isolated whether the page asks for cross-origin isolation, as pages with threads must
 */
export async function runInChromium(chromium: string, script: string, isolated: boolean): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-chromium-'));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const server = servePage(script, isolated, resolve);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const browser = spawn(chromium, [...FLAGS, `--user-data-dir=${folder}`, `http://127.0.0.1:${port}/`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // a group of its own: its helpers end with it
  });
  let said = '';
  browser.stderr.on('data', (bytes) => {
    said = `${said}${bytes}`.slice(-4000);
  });
  browser.once('error', reject);
  browser.once('exit', (status) => reject(new Error(`Chromium ended (${status}) without a result:\n${said}`)));
  try {
    return JSON.parse(await promise) as unknown;
  } finally {
    const ended = new Promise((done) => browser.once('exit', done));
    if (browser.exitCode === null && browser.pid !== undefined) {
      process.kill(-browser.pid, 'SIGKILL');
      await ended;
    }
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Headless, and silent towards the rest of the world. The sandbox needs rights that a container's root lacks. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

function servePage(script: string, isolated: boolean, onResult: (body: string) => void): Server {
  const headers = isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  return createServer((request, response) => {
    if (request.url === '/result') {
      let body = '';
      request.on('data', (bytes) => {
        body += bytes;
      });
      request.on('end', () => {
        response.end();
        onResult(body);
      });
      return;
    }
    const isScript = request.url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><script src="/page.js"></script>');
  });
}

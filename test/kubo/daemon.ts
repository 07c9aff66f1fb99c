/**
 * A real Kubo daemon for one test run: a repository of its own in a temporary folder, offline (no swarm, no bootstrap, no
 * announcements), RPC API and gateway on free ports of loopback.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface KuboDaemon {
  readonly rpc: string;
  readonly gateway: string;
  readonly version: string;
  /** Runs the `ipfs` command on the daemon's repository. */
  ipfs(...args: string[]): string;
  stop(): Promise<void>;
}

/** The `ipfs` binary: `ASSAY_IPFS_BIN`, or the one on the PATH; undefined when there is none. */
export function findIpfs(): string | undefined {
  const named = process.env.ASSAY_IPFS_BIN;
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'ipfs')).find((path) => existsSync(path));
}

/** Starts the daemon and waits until it answers. */
export async function startKubo(binary: string): Promise<KuboDaemon> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-kubo-'));
  const env = { ...process.env, IPFS_PATH: join(folder, 'repo'), IPFS_TELEMETRY: 'off' };
  const ipfs = (...args: string[]): string =>
    execFileSync(binary, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  ipfs('init', '--profile=test,unixfs-v1-2025');
  ipfs('config', 'Addresses.API', '/ip4/127.0.0.1/tcp/0');
  ipfs('config', 'Addresses.Gateway', '/ip4/127.0.0.1/tcp/0');
  ipfs('config', '--json', 'Addresses.Swarm', '[]');
  ipfs('config', '--json', 'Bootstrap', '[]');
  ipfs('config', '--json', 'AutoConf.Enabled', 'false');
  ipfs('config', 'Routing.Type', 'none');
  ipfs('config', '--json', 'DNS.Resolvers', '{}');
  ipfs('config', '--json', 'Ipns.DelegatedPublishers', '[]');
  ipfs('config', '--json', 'Routing.DelegatedRouters', '[]');
  const daemon = spawn(binary, ['daemon', '--offline'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const said = await waitFor(daemon, 'Daemon is ready');
    const rpc = /RPC API server listening on \/ip4\/127\.0\.0\.1\/tcp\/(\d+)/.exec(said)?.[1];
    const gateway = /Gateway server listening on \/ip4\/127\.0\.0\.1\/tcp\/(\d+)/.exec(said)?.[1];
    if (rpc === undefined || gateway === undefined) throw new Error(`no addresses in the daemon's output:\n${said}`);
    return {
      rpc: `http://127.0.0.1:${rpc}`,
      gateway: `http://127.0.0.1:${gateway}`,
      version: ipfs('version', '--number'),
      ipfs,
      stop: () => stop(daemon, folder),
    };
  } catch (error) {
    await stop(daemon, folder);
    throw error;
  }
}

/** A file of its own for `ipfs add`. */
export function temporaryFile(bytes: Uint8Array): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'assay-kubo-file-'));
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function waitFor(daemon: ChildProcess, line: string): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the daemon is not ready after 60 s:\n${said}`)), 60_000);
    const hear = (data: Buffer): void => {
      said += data.toString();
      if (!said.includes(line)) return;
      clearTimeout(timer);
      resolve(said);
    };
    daemon.stdout?.on('data', hear);
    daemon.stderr?.on('data', hear);
    daemon.once('error', reject);
    daemon.once('exit', (code) => reject(new Error(`the daemon ended with ${code}:\n${said}`)));
  });
}

async function stop(daemon: ChildProcess, folder: string): Promise<void> {
  if (daemon.exitCode === null && daemon.signalCode === null) {
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    const killer = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(killer);
  }
  rmSync(folder, { recursive: true, force: true });
}

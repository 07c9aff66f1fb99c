/** The command `assay` as a real process: its JSON lines as they come, and every way to end it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Address, Hex } from 'viem';
import { generatePrivateKey } from 'viem/accounts';
import { createKeystore } from '../../../chain/keystore.ts';
import type { Signer } from '../../../chain/rpc.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { type TestFederation, until, type World } from './world.ts';

const ENTRY = fileURLToPath(new URL('../../../scripts/assay.ts', import.meta.url));
const PASSWORD = 'scenario';

export interface Line {
  readonly type: string;
  readonly round?: number;
  readonly [key: string]: unknown;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export interface AssayProcess {
  readonly child: ChildProcess;
  readonly lines: Line[];
  readonly ended: Promise<Ended>;
  waitFor(type: string, round?: number): Promise<Line>;
  /** Ends it (SIGKILL unless told) and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<Ended>;
}

export interface ProcessWish {
  readonly password?: string;
  /** Told of each line in the moment it arrives. */
  readonly onLine?: (line: Line, child: ChildProcess) => void;
}

export function startAssay(world: World, args: readonly string[], wish: ProcessWish = {}): AssayProcess {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ASSAY_PASSWORD: wish.password ?? PASSWORD },
  });
  const lines: Line[] = [];
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as Line;
    lines.push(line);
    wish.onLine?.(line, child);
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal, stderr }));
  });
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  const kill = (signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> => {
    child.kill(signal);
    return ended;
  };
  world.test.add(async () => {
    await kill();
  });
  const waitFor = (type: string, round?: number): Promise<Line> =>
    until(`${type} ${round ?? ''} from assay ${args[0]}`, () => {
      const line = lines.find(
        (candidate) => candidate.type === type && (round === undefined || candidate.round === round),
      );
      if (line === undefined && gone) throw new Error(`assay ${args[0]} ended before "${type}": ${stderr}`);
      return line;
    });
  return { child, lines, ended, waitFor, kill };
}

export interface NodeFolder {
  readonly folder: string;
  readonly address: Address;
  readonly signer: Signer;
}

/** A state folder with an encrypted key that has ether; an aggregator's holds the federation's documents, too. */
export async function nodeFolder(
  world: World,
  fed: TestFederation,
  { funded = true }: { readonly funded?: boolean } = {},
): Promise<NodeFolder> {
  const folder = await world.newFolder('node');
  const privateKey: Hex = generatePrivateKey();
  const signer = await world.signer({ privateKey, funded });
  const { address } = await createKeystore(join(folder, 'keystore.json'), PASSWORD, { light: true, privateKey });
  const store = await openPayloadStore(join(folder, 'payloads'));
  for (const document of fed.documents) await store.put(document);
  return { folder, address, signer };
}

/** The options that both kinds of node share. */
export function nodeArgs(world: World, fed: TestFederation, folder: string, rpcUrl = world.chain.url): string[] {
  const place = ['--rpc-url', rpcUrl, '--federation', fed.address, '--state', folder];
  return [...place, '--log', 'json', '--poll-ms', '60', '--exit'];
}

/** The development chain on this machine: starting one, and the ether that its well-known accounts hold. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Address, createWalletClient, formatEther, type Hex, http } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { type Connection, connect } from '../../chain/rpc.ts';
import { AssayError } from '../../protocol/errors.ts';

/**
 * The mnemonic that Hardhat and anvil publish. Its accounts belong to everybody: worthless anywhere but on a local
 * chain.
 */
const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk';
const DEVELOPMENT_CHAIN_ID = 31337;
const START_PATIENCE_SECONDS = 60;
const ACCOUNTS = 40;

/**
 * Programs that can be the local chain: chain id 31337, a block per transaction and one every second, so that deadlines
 * pass when nobody sends anything. Hardhat's node is what users get; the tests run on both (`ASSAY_CHAIN=anvil`), so that
 * nothing here leans on one simulator's manners.
 */
export const CHAIN_ENGINES = ['hardhat', 'anvil'] as const;
export type ChainEngine = (typeof CHAIN_ENGINES)[number];

export interface LocalChain {
  readonly url: string;
  /** The program's name, for people. */
  readonly name: string;
  /** Resolves when the chain has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** The one named in `ASSAY_CHAIN`, else Hardhat. @throws AssayError `CHAIN_ENGINE` */
export function chosenChainEngine(name: string = process.env.ASSAY_CHAIN ?? ''): ChainEngine {
  if (name === '') return 'hardhat';
  const engine = CHAIN_ENGINES.find((known) => known === name);
  if (engine !== undefined) return engine;
  throw new AssayError('CHAIN_ENGINE', {
    summary: 'ASSAY_CHAIN names no local chain that is known here',
    expected: CHAIN_ENGINES.join(' or '),
    received: name,
  });
}

/**
 * Starts a local chain on 127.0.0.1 and waits until it answers.
 * @param logFile where its output goes
 * @throws AssayError `PORT_TAKEN`, `CHAIN_START` or `CHAIN_ENGINE`.
 */
export async function startLocalChain(
  port: number,
  logFile: string,
  engine: ChainEngine = chosenChainEngine(),
): Promise<LocalChain> {
  await requireFreePort(port);
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, chainArguments(engine, port), {
    cwd: project,
    // The leash holds the channel: however this process ends, the chain ends too.
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' },
    // A group of its own: Ctrl-C in the terminal reaches the command, which then ends the chain last.
    detached: true,
  });
  closeSync(log);
  child.channel?.unref();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const failed = exited.then(() => {
    throw new AssayError('CHAIN_START', {
      summary: 'the local chain ended before it answered',
      received: `see ${logFile}`,
      fix: 'run `npm run setup`, then try again',
    });
  });
  failed.catch(() => undefined); // awaited below while it matters
  await Promise.race([connect({ rpcUrl: url, patienceSeconds: START_PATIENCE_SECONDS }), failed]);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  return { url, name: engine === 'anvil' ? 'anvil' : 'Hardhat', ended: exited, stop };
}

/** What Node runs to be the chain. Hardhat's accounts and mining are the network `node` of hardhat.config.ts. */
function chainArguments(engine: ChainEngine, port: number): string[] {
  const { resolve } = createRequire(import.meta.url);
  const leash = (path: string) => ['--import', new URL(path, import.meta.url).href];
  if (engine === 'hardhat') {
    const cli = join(dirname(resolve('hardhat/package.json')), 'dist/src/cli.js');
    return [...leash('../setup/leash.mjs'), cli, 'node', '--hostname', '127.0.0.1', '--port', String(port)];
  }
  const launcher = join(dirname(resolve('@foundry-rs/anvil/package.json')), 'bin.mjs');
  return [
    ...leash('./gentleLeash.mjs'),
    launcher,
    ...['--host', '127.0.0.1', '--port', String(port)],
    ...['--chain-id', String(DEVELOPMENT_CHAIN_ID), '--accounts', String(ACCOUNTS)],
    ...['--mixed-mining', '--block-time', '1'],
    // The cap of a transaction's gas (EIP-7825), which Hardhat's node has by itself.
    ...['--hardfork', 'osaka', '--enable-tx-gas-limit'],
  ];
}

/** A free port of 127.0.0.1. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function requireFreePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new AssayError('PORT_TAKEN', {
          summary: `port ${port} of 127.0.0.1 is taken`,
          expected: 'a free port',
          received: cause.code ?? cause.message,
          fix: 'end the program that listens there, or choose another with --port',
        }),
      ),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

/**
 * Sends ether from the first development account.
 * @throws AssayError `NOT_A_LOCAL_CHAIN` anywhere but on chain 31337, `CHAIN_FUNDS` for more than it has: nothing is sent.
 */
export async function fundFromLocalChain(
  connection: Connection,
  accounts: readonly Address[],
  wei: bigint,
): Promise<Hex[]> {
  if (connection.chainId !== DEVELOPMENT_CHAIN_ID) {
    throw new AssayError('NOT_A_LOCAL_CHAIN', {
      summary: 'only a local development chain gives ether away',
      expected: `chain id ${DEVELOPMENT_CHAIN_ID}`,
      received: String(connection.chainId),
      fix: 'send ether to these accounts from a wallet of yours',
    });
  }
  const account = mnemonicToAccount(DEVELOPMENT_MNEMONIC);
  const wallet = createWalletClient({ account, chain: connection.chain, transport: http(connection.options.rpcUrl) });
  const balance = await connection.publicClient.getBalance({ address: account.address });
  const needed = wei * BigInt(accounts.length);
  if (needed >= balance) {
    throw new AssayError('CHAIN_FUNDS', {
      summary: 'the local chain has not that much ether to give away',
      expected: `less than ${formatEther(balance)} ether in all, what its first account holds`,
      received: `${formatEther(needed)} ether`,
      fix: 'ask for less with --amount, or start the chain anew',
    });
  }
  let nonce = await connection.publicClient.getTransactionCount({ address: account.address, blockTag: 'pending' });
  const hashes: Hex[] = [];
  for (const to of accounts) hashes.push(await wallet.sendTransaction({ to, value: wei, nonce: nonce++ }));
  await Promise.all(hashes.map((hash) => connection.publicClient.waitForTransactionReceipt({ hash })));
  return hashes;
}

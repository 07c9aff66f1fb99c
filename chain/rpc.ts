/**
 * The connection to an Ethereum node, by JSON-RPC over HTTP. A node that is down at the start or in the middle is
 * waited for, said so once and again when it is back; after `patienceSeconds` the wait ends with one clear message.
 */
import {
  type Account,
  BaseError,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  type EIP1193RequestFn,
  type Hex,
  HttpRequestError,
  hexToBigInt,
  http,
  type PublicClient,
  type Transport,
  type WalletClient,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { AssayError } from '../protocol/errors.ts';

export interface ConnectOptions {
  readonly rpcUrl: string;
  /** Refuses any other chain. */
  readonly chainId?: number;
  /** How long a silent node is waited for before giving up; 60 unless told. */
  readonly patienceSeconds?: number;
  /** Told when the node stops answering and when it is back. */
  readonly onConnection?: (message: string) => void;
}

export interface Connection {
  readonly options: ConnectOptions;
  readonly chainId: number;
  readonly chain: Chain;
  readonly publicClient: PublicClient<Transport, Chain>;
}

/** A connection that can also sign. */
export interface Signer {
  readonly account: Account;
  readonly wallet: WalletClient<Transport, Chain, Account>;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const LONGEST_ANSWER_MS = 30_000;
const DEFAULT_PATIENCE_SECONDS = 60;
const POLLING_INTERVAL_MS = 100;

/** @throws AssayError `RPC_URL`, `RPC_DOWN` or `WRONG_CHAIN`. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const transport = patientHttp(options);
  const probe = plainSpoken(createPublicClient({ transport }));
  const chainId = await probe.getChainId();
  if (options.chainId !== undefined && options.chainId !== chainId) {
    throw new AssayError('WRONG_CHAIN', {
      summary: `${options.rpcUrl} serves another chain`,
      expected: `chain id ${options.chainId}`,
      received: `chain id ${chainId}`,
      fix: 'check --rpc-url and --chain-id; a key must not sign for a chain it was not meant for',
    });
  }
  const chain = defineChain({
    id: chainId,
    name: `chain ${chainId}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [options.rpcUrl] } },
  });
  const settings = { chain, transport, pollingInterval: POLLING_INTERVAL_MS, cacheTime: 0 };
  const publicClient = upToDate(plainSpoken(createPublicClient(settings)));
  return { options, chainId, chain, publicClient };
}

/**
 * The newest block is asked for each time. viem gives everybody who asks the answer to the question that is under way,
 * also one that is older than the block whose events its caller has to see.
 */
function upToDate(client: Connection['publicClient']): Connection['publicClient'] {
  return { ...client, getBlockNumber: async () => hexToBigInt(await client.request({ method: 'eth_blockNumber' })) };
}

/** A signer for `privateKey` on the connection's chain. */
export function signerOf(connection: Connection, privateKey: Hex): Signer {
  const account = privateKeyToAccount(privateKey);
  const transport = patientHttp(connection.options);
  return { account, wallet: plainSpoken(createWalletClient({ account, chain: connection.chain, transport })) };
}

/** viem wraps the transport's error in its own, one way for each action; this gives ours back as it was thrown. */
function plainSpoken<Client extends object>(client: Client): Client {
  const rethrow = (error: unknown): never => {
    const ours = error instanceof BaseError ? error.walk((cause) => cause instanceof AssayError) : null;
    throw ours ?? error;
  };
  const wrap = (value: unknown): unknown => {
    if (typeof value !== 'function') return value;
    return (...args: unknown[]): unknown => {
      const result: unknown = value(...args);
      return result instanceof Promise ? result.catch(rethrow) : result;
    };
  };
  return Object.fromEntries(Object.entries(client).map(([name, value]) => [name, wrap(value)])) as Client;
}

function patientHttp(options: ConnectOptions): Transport {
  const { rpcUrl, onConnection } = options;
  const url = URL.canParse(rpcUrl) ? new URL(rpcUrl) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new AssayError('RPC_URL', {
      summary: 'the RPC address cannot be used',
      expected: 'an http:// or https:// URL such as http://127.0.0.1:8545',
      received: rpcUrl,
    });
  }
  const patienceMs = (options.patienceSeconds ?? DEFAULT_PATIENCE_SECONDS) * 1000;
  // A node that accepts and says nothing is down, too: no single question outlasts the patience.
  const timeout = patienceMs === 0 ? LONGEST_ANSWER_MS : Math.min(LONGEST_ANSWER_MS, patienceMs);
  return (config) => {
    // viem's own limit ends with the first byte of an answer; this one with the last.
    const fetchFn = (input: string | URL | Request, init?: RequestInit) =>
      fetch(input, { ...init, signal: AbortSignal.timeout(timeout) });
    const plain = http(rpcUrl, { retryCount: 0, timeout: 0, fetchFn })({ ...config, timeout: 0 });
    const request = (async (args: { method: string; params?: unknown }): Promise<unknown> => {
      const since = Date.now();
      let pause = FIRST_PAUSE_MS;
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await plain.request(args);
          if (attempt > 1) onConnection?.(`the chain at ${rpcUrl} answers again`);
          return answer;
        } catch (error) {
          if (!isSilence(error)) throw error;
          const waited = Date.now() - since;
          if (waited + pause > patienceMs)
            throw new BaseError('The chain is silent.', { cause: rpcDown(rpcUrl, waited, timeout, error) });
          if (attempt === 1) onConnection?.(`the chain at ${rpcUrl} does not answer; waiting for it`);
          await new Promise((resolve) => setTimeout(resolve, pause));
          pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
        }
      }
    }) as EIP1193RequestFn;
    return { ...plain, request };
  };
}

/** Whether the node did not answer at all, or a proxy before it did in its stead: worth another try. */
function isSilence(error: unknown): error is HttpRequestError {
  if (!(error instanceof HttpRequestError)) return false;
  return error.status === undefined || error.status === 429 || error.status >= 502;
}

function rpcDown(rpcUrl: string, waitedMs: number, timeoutMs: number, cause: HttpRequestError): AssayError {
  const tooLate = cause.walk((reason) => reason instanceof DOMException && reason.name === 'TimeoutError') !== null;
  return new AssayError('RPC_DOWN', {
    summary: `the chain at ${rpcUrl} has not answered for ${Math.ceil(waitedMs / 1000)} s`,
    expected: 'an Ethereum JSON-RPC node',
    received: tooLate ? `no answer within ${timeoutMs / 1000} s` : cause.message.split('\n')[0]!,
    fix: 'start the node or correct --rpc-url, then start this command again: it goes on where it was',
    cause,
  });
}

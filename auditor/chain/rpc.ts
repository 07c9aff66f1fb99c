/**
 * The auditor's own connection to an Ethereum node, through ethers (the nodes that act use another library, so one
 * library's bug cannot hide from both sides). Every question is retried with a message, and ends with a clear error.
 */
import { FetchRequest, JsonRpcProvider, Network } from 'ethers';
import { AssayError } from '../../protocol/errors.ts';

export interface RpcOptions {
  /** URL of the node. */
  readonly rpcUrl: string;
  /** Refuse any other chain. */
  readonly chainId?: number | undefined;
  /** How often a question is asked before the node counts as unreachable. Default 5. */
  readonly attempts?: number | undefined;
  /** Time a single answer may take. Default 20,000. */
  readonly timeoutMilliseconds?: number | undefined;
  /** Pause before the second attempt; doubled for each further one. Default 250. */
  readonly retryMilliseconds?: number | undefined;
  readonly onRetry?: ((message: string) => void) | undefined;
}

const TRANSPORT_CODES = new Set([
  'TIMEOUT',
  'SERVER_ERROR',
  'NETWORK_ERROR',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

export class Rpc {
  readonly chainId: number;
  private readonly provider: JsonRpcProvider;
  private readonly options: RpcOptions;

  private constructor(chainId: number, provider: JsonRpcProvider, options: RpcOptions) {
    this.chainId = chainId;
    this.provider = provider;
    this.options = options;
  }

  /**
   * @throws AssayError `RPC_URL`, `RPC_UNREACHABLE`, or `WRONG_CHAIN` when the node is on another chain than `chainId`.
   */
  static async connect(options: RpcOptions): Promise<Rpc> {
    if (!/^https?:\/\//.test(options.rpcUrl) || !URL.canParse(options.rpcUrl)) {
      throw new AssayError('RPC_URL', {
        summary: 'the address of the Ethereum node is not usable',
        expected: 'a URL such as http://127.0.0.1:8545',
        received: options.rpcUrl,
      });
    }
    // ethers would look for the chain id by itself, for ever and on the console: ask once, with our own limits.
    const chainId = await askWithRetry(options, 'its chain id', async () => {
      const request = fetchRequest(options);
      request.body = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] };
      const response = await request.send();
      response.assertOk();
      const result: unknown = response.bodyJson?.result;
      if (typeof result !== 'string') throw new SyntaxError('the answer to eth_chainId has no result');
      return Number(result);
    });
    if (options.chainId !== undefined && options.chainId !== chainId) {
      throw new AssayError('WRONG_CHAIN', {
        summary: `the node at ${options.rpcUrl} is on another chain`,
        expected: `chain id ${options.chainId}`,
        received: `chain id ${chainId}`,
        fix: 'give the RPC endpoint of the chain the federation lives on',
      });
    }
    const provider = new JsonRpcProvider(fetchRequest(options), chainId, {
      staticNetwork: Network.from(chainId),
      batchStallTime: 1, // questions asked together go together; the default of 10 ms delays every single one
      cacheTimeout: -1, // what is asked twice must be answered twice: that is how a reorganisation shows
    });
    return new Rpc(chainId, provider, options);
  }

  /**
   * Asks the node, again after a pause when it does not answer. What the node refuses (an error in its answer) is
   * thrown as it came, at once.
   *
   * @throws AssayError `RPC_UNREACHABLE` after the last attempt.
   */
  ask<T>(what: string, question: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    return askWithRetry(this.options, what, () => question(this.provider));
  }

  close(): void {
    this.provider.destroy();
  }
}

function fetchRequest({ rpcUrl, timeoutMilliseconds = 20_000 }: RpcOptions): FetchRequest {
  const request = new FetchRequest(rpcUrl);
  request.timeout = timeoutMilliseconds;
  return request;
}

async function askWithRetry<T>(options: RpcOptions, what: string, question: () => Promise<T>): Promise<T> {
  const { rpcUrl, attempts = 5, retryMilliseconds = 250, onRetry } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await question();
    } catch (error) {
      if (!isTransportError(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      if (attempt >= attempts) {
        throw new AssayError('RPC_UNREACHABLE', {
          summary: `the Ethereum node at ${rpcUrl} does not answer`,
          expected: `an answer to ${what} within ${attempts} attempts`,
          received: reason || 'no connection',
          fix: 'check that the node runs and that the URL and the port are right, then start the audit again',
          cause: error,
        });
      }
      const pause = retryMilliseconds * 2 ** (attempt - 1);
      onRetry?.(`${rpcUrl} did not answer (${what}): attempt ${attempt + 1} of ${attempts} in ${pause} ms`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function isTransportError(error: unknown): boolean {
  if (error instanceof SyntaxError) return true; // an answer that is not JSON: a proxy's error page
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && TRANSPORT_CODES.has(code);
}

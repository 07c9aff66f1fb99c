/**
 * An account that acts for an auditor: simulates, signs and sends transactions through ethers, and waits until each is
 * in a block. One at a time, so that their numbers follow each other.
 */
import { isError, keccak256, type TransactionReceipt, type TransactionRequest, Wallet } from 'ethers';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { decodeEvents, type FederationEvent, federationInterface } from './decodeEvents.ts';
import { hexOf } from './hexOf.ts';
import { toLogFact } from './readLogs.ts';
import type { Rpc } from './rpc.ts';

/** What is to be done on a contract. */
export interface Call {
  readonly to: Hex;
  readonly data: Hex;
  /** Wei sent along. */
  readonly value: bigint;
  /** For messages: "the proof against .."; names it to people. */
  readonly what: string;
}

export interface Sent {
  readonly transaction: Hex;
  readonly gasUsed: bigint;
  readonly blockNumber: number;
  /** What the federation said of it. */
  readonly events: readonly FederationEvent[];
}

/** After this a transaction is left to its fate, which `fate` tells. */
const MOST_WAITING_MILLISECONDS = 120_000;

/** EIP-7825: no transaction may use more. */
const MOST_GAS = 16_777_216n;

export class Account {
  readonly address: Hex;
  private readonly rpc: Rpc;
  private readonly wallet: Wallet;
  private readonly pauseMilliseconds: number;
  private turn: Promise<unknown> = Promise.resolve();

  /** @throws AssayError `PRIVATE_KEY_INVALID`, which never shows any of the key. */
  constructor(rpc: Rpc, privateKey: string, pauseMilliseconds = 250) {
    this.rpc = rpc;
    this.pauseMilliseconds = pauseMilliseconds;
    try {
      this.wallet = new Wallet(privateKey);
    } catch {
      throw new AssayError('PRIVATE_KEY_INVALID', {
        summary: 'the key to act with is not one',
        expected: '0x and 64 hex digits, not zero and below the order of secp256k1',
        received: `${privateKey.length} characters`,
      });
    }
    this.address = hexOf(this.wallet.address);
  }

  balance(): Promise<bigint> {
    return this.rpc.ask('the balance of this account', (provider) => provider.getBalance(this.address));
  }

  /**
   * What the contract would answer now, nothing sent.
   *
   * @throws AssayError `REVERT_<name of the contract's error>` when it would refuse, `RPC_UNREACHABLE`
   */
  async simulate({ to, data, value, what }: Call): Promise<string> {
    try {
      return await this.rpc.ask(what, (provider) => provider.call({ from: this.address, to, data, value }));
    } catch (error) {
      throw refusal(error, what);
    }
  }

  /**
   * Sends after simulating.
   *
   * @param onSigned told the hash before anything leaves this machine, so that a restarted process knows of it
   * @throws AssayError as `simulate`; `TRANSACTION_REVERTED` when the chain's state changed in between;
   *   `TRANSACTION_COST` when the account cannot pay, `TRANSACTION_PENDING` when no block has it after two minutes
   */
  send(call: Call, onSigned: (transaction: Hex) => Promise<void> | void = () => undefined): Promise<Sent> {
    const sent = this.turn.catch(() => undefined).then(() => this.sendNow(call, onSigned));
    this.turn = sent;
    return sent;
  }

  /** The receipt of a transaction of an earlier life; `lost`: no block has it and no node keeps it. */
  async fate(transaction: Hex): Promise<Sent | 'reverted' | 'pending' | 'lost'> {
    const receipt = await this.rpc.ask('a receipt', (provider) => provider.getTransactionReceipt(transaction));
    if (receipt !== null) return receipt.status === 1 ? sentOf(receipt) : 'reverted';
    const known = await this.rpc.ask('a transaction', (provider) => provider.getTransaction(transaction));
    return known === null ? 'lost' : 'pending';
  }

  private async sendNow(call: Call, onSigned: (transaction: Hex) => Promise<void> | void): Promise<Sent> {
    await this.simulate(call);
    const { to, data, value, what } = call;
    const [gas, fees, nonce] = await Promise.all([
      this.rpc
        .ask(`the gas of ${what}`, (provider) => provider.estimateGas({ from: this.address, to, data, value }))
        .catch((error: unknown) => {
          throw refusal(error, what);
        }),
      this.rpc.ask('the price of gas', (provider) => provider.getFeeData()),
      this.rpc.ask('the next nonce', (provider) => provider.getTransactionCount(this.address, 'pending')),
    ]);
    const margin = gas + gas / 4n; // a transition that became due in between costs more
    const request: TransactionRequest = {
      type: 2,
      chainId: this.rpc.chainId,
      to,
      data,
      value,
      nonce,
      gasLimit: margin < MOST_GAS ? margin : MOST_GAS,
      maxFeePerGas: fees.maxFeePerGas ?? fees.gasPrice ?? 0n,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas ?? 0n,
    };
    const signed = await this.wallet.signTransaction(request);
    const transaction = hexOf(keccak256(signed));
    await onSigned(transaction);
    const receipt = await this.deliver(signed, transaction, what);
    if (receipt.status !== 1) {
      throw new AssayError('TRANSACTION_REVERTED', {
        summary: `the contract refused ${what}`,
        expected: 'what the simulation said a moment before',
        received: `transaction ${transaction} reverted: the round went on, or somebody was faster`,
      });
    }
    return sentOf(receipt);
  }

  private async deliver(signed: string, transaction: Hex, what: string): Promise<TransactionReceipt> {
    const until = Date.now() + MOST_WAITING_MILLISECONDS;
    for (let look = 0; ; look++) {
      // Sent again now and then: a node that restarts forgets what no block has.
      if (look % 20 === 0) await this.broadcast(signed, what);
      const receipt = await this.rpc.ask('a receipt', (provider) => provider.getTransactionReceipt(transaction));
      if (receipt !== null) return receipt;
      if (Date.now() > until) {
        throw new AssayError('TRANSACTION_PENDING', {
          summary: `${what} is in no block yet`,
          expected: 'a receipt within two minutes',
          received: `nothing for transaction ${transaction}`,
          fix: 'wait: the chain may be busy; it is not sent twice',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, this.pauseMilliseconds));
    }
  }

  private async broadcast(signed: string, what: string): Promise<void> {
    try {
      await this.rpc.ask(`sending ${what}`, (provider) => provider.broadcastTransaction(signed));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (isError(error, 'NONCE_EXPIRED') || /already known|nonce too low|known transaction/i.test(message)) return;
      throw refusal(error, what);
    }
  }
}

function sentOf(receipt: TransactionReceipt): Sent {
  return {
    transaction: hexOf(receipt.hash),
    gasUsed: receipt.gasUsed,
    blockNumber: receipt.blockNumber,
    // A token's logs are in the same receipt: only the contract's own count.
    events: decodeEvents(receipt.logs.filter(({ address }) => address === receipt.to).map(toLogFact)),
  };
}

/** The contract's own words, where the node passes them on. */
function refusal(error: unknown, what: string): unknown {
  if (error instanceof AssayError) return error;
  if (isError(error, 'INSUFFICIENT_FUNDS')) {
    return new AssayError('TRANSACTION_COST', {
      summary: `this account cannot pay for ${what}`,
      expected: 'its bond and its gas, about twice as much to be safe',
      fix: 'send coin to the account',
      cause: error,
    });
  }
  const data = revertData(error);
  const parsed = data === null ? null : federationInterface.parseError(data);
  const name = parsed?.name ?? (data === null || data === '0x' ? 'NoReason' : 'Unknown');
  const args = parsed === null ? '' : parsed.args.map(String).join(', ');
  return new AssayError(`REVERT_${name}`, {
    summary: `the contract would refuse ${what}`,
    received:
      parsed === null ? (error instanceof Error ? error.message.slice(0, 300) : String(error)) : `${name}(${args})`,
    cause: error,
  });
}

function revertData(error: unknown): string | null {
  const { data, info } = (error ?? {}) as { data?: unknown; info?: { error?: { data?: unknown } } };
  const inner = info?.error?.data;
  const nested = (inner as { data?: unknown } | undefined)?.data; // Hardhat wraps it once more
  for (const candidate of [data, inner, nested]) {
    if (typeof candidate === 'string' && /^0x([0-9a-fA-F]{2})*$/.test(candidate)) return candidate;
  }
  return null;
}

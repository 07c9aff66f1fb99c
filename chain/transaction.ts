/** Sending one transaction and knowing what became of it. */
import {
  type Abi,
  type Address,
  encodeFunctionData,
  type Hex,
  keccak256,
  TransactionNotFoundError,
  type TransactionReceipt,
  WaitForTransactionReceiptTimeoutError,
} from 'viem';
import { AssayError } from '../protocol/errors.ts';
import { explainFailure } from './revert.ts';
import type { Connection, Signer } from './rpc.ts';

export interface Sent {
  readonly hash: Hex;
  readonly gasUsed: bigint;
  readonly blockNumber: bigint;
  readonly receipt: TransactionReceipt;
}

export interface Call {
  readonly address: Address;
  readonly abi: Abi;
  readonly functionName: string;
  readonly args: readonly unknown[];
  readonly value?: bigint;
}

const RECEIPT_PATIENCE_MS = 180_000;
/** Room above the estimate: a transition that became due between estimate and inclusion costs more. */
const GAS_MARGIN_PERCENT = 140n;
const EXTRA_GAS = 60_000n;
/** Of one transaction (https://eips.ethereum.org/EIPS/eip-7825). */
const LARGEST_GAS = 2n ** 24n;

/**
 * Simulates, sends and waits for inclusion.
 * @throws AssayError `REVERT_<custom error>`, `REVERTED` (in its block, and nobody can say why any more), `UNFUNDED`,
 *   `TRANSACTION`, `NOT_INCLUDED`, `RPC_DOWN`.
 */
export async function sendTransaction(connection: Connection, signer: Signer, call: Call): Promise<Sent> {
  const { publicClient } = connection;
  const request = { ...call, account: signer.account };
  try {
    // One request both proves that the call would succeed now and prices it.
    const estimate = await publicClient.estimateContractGas(request);
    const gas = withMargin(estimate);
    const hash = await inTurn(signer, () => signAndSend(connection, signer, call, gas));
    const receipt = await publicClient.waitForTransactionReceipt({ hash, timeout: RECEIPT_PATIENCE_MS });
    if (receipt.status === 'reverted') {
      // Asked again on the state its block left, which has whatever came in between, to learn why.
      await publicClient.simulateContract({ ...request, blockNumber: receipt.blockNumber });
      throw new AssayError('REVERTED', { summary: `${call.functionName} was reverted in ${hash}` });
    }
    return { hash, gasUsed: receipt.gasUsed, blockNumber: receipt.blockNumber, receipt };
  } catch (error) {
    if (error instanceof WaitForTransactionReceiptTimeoutError) {
      throw new AssayError('NOT_INCLUDED', {
        summary: `${call.functionName} was sent and not included within ${RECEIPT_PATIENCE_MS / 1000} s`,
        fix: 'start the command again: it looks on the chain first and sends nothing twice',
        cause: error,
      });
    }
    throw explainFailure(call.functionName, error);
  }
}

/** More than EIP-7825 allows would be refused, margin or not. */
function withMargin(estimate: bigint): bigint {
  const gas = (estimate * GAS_MARGIN_PERCENT) / 100n + EXTRA_GAS;
  return estimate <= LARGEST_GAS && gas > LARGEST_GAS ? LARGEST_GAS : gas;
}

const sending = new WeakMap<Signer, Promise<unknown>>();

/** One transaction of an account is signed and sent at a time: two at once would take the same nonce. */
function inTurn<T>(signer: Signer, send: () => Promise<T>): Promise<T> {
  const before = sending.get(signer) ?? Promise.resolve();
  const sent = before.then(send, send);
  sending.set(
    signer,
    sent.catch(() => undefined),
  );
  return sent;
}

/**
 * The hash is known before anything is sent. So when the node took the transaction and its answer was lost (the
 * repeated question then fails with "nonce too low"), it is found by its hash instead of being sent again or given up.
 */
async function signAndSend(connection: Connection, signer: Signer, call: Call, gas: bigint): Promise<Hex> {
  const { account, wallet } = signer;
  const prepared = await wallet.prepareTransactionRequest({
    account,
    chain: connection.chain,
    to: call.address,
    data: encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args }),
    value: call.value ?? 0n,
    gas,
  });
  const serializedTransaction = await wallet.signTransaction(prepared as Parameters<typeof wallet.signTransaction>[0]);
  const hash = keccak256(serializedTransaction);
  try {
    await wallet.sendRawTransaction({ serializedTransaction });
  } catch (error) {
    if (!(await isKnown(connection, hash))) throw error;
  }
  return hash;
}

async function isKnown(connection: Connection, hash: Hex): Promise<boolean> {
  try {
    await connection.publicClient.getTransaction({ hash });
    return true;
  } catch (error) {
    if (error instanceof TransactionNotFoundError) return false;
    throw error;
  }
}

/** Waits until no transaction of the account is pending, so that a restarted node does not act twice. */
export async function settlePending(connection: Connection, account: Address, patienceMs = 30_000): Promise<void> {
  const since = Date.now();
  for (;;) {
    const [mined, pending] = await Promise.all([
      connection.publicClient.getTransactionCount({ address: account, blockTag: 'latest' }),
      connection.publicClient.getTransactionCount({ address: account, blockTag: 'pending' }),
    ]);
    if (pending <= mined || Date.now() - since > patienceMs) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

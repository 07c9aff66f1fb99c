import { expect } from 'chai';
import {
  BaseError,
  ContractFunctionExecutionError,
  ContractFunctionRevertedError,
  encodeErrorResult,
  type Hex,
  keccak256,
  TransactionNotFoundError,
  WaitForTransactionReceiptTimeoutError,
} from 'viem';
import { federationAbi } from '../../chain/abi/federation.ts';
import type { Connection, Signer } from '../../chain/rpc.ts';
import { type Call, sendTransaction, settlePending } from '../../chain/transaction.ts';
import { expectError } from '../client/support/expectError.ts';

const ACCOUNT = '0x00000000000000000000000000000000000000AA';
const CALL: Call = { address: ACCOUNT, abi: federationAbi, functionName: 'finalizeRound', args: [1n] };
const SERIALIZED: Hex = '0x1234';
const HASH = keccak256(SERIALIZED);
const ESTIMATE = 100_000n;
const INCLUDED = { status: 'success', gasUsed: 90_000n, blockNumber: 7n };

function refusal(): BaseError {
  const data = encodeErrorResult({ abi: federationAbi, errorName: 'OutOfOrder', args: [1n, 2n] } as never);
  const cause = new ContractFunctionRevertedError({ abi: federationAbi, data, functionName: 'finalizeRound' });
  return new ContractFunctionExecutionError(cause, { abi: federationAbi, functionName: 'finalizeRound', args: [1n] });
}

type Step = (request: Record<string, unknown>) => unknown;

/** Sends CALL through a node that answers as `change` says; tells what was sent. */
function send(change: Record<string, Step> = {}) {
  const sent: unknown[] = [];
  let gas = 0n;
  const step = (name: string, otherwise: Step) => async (request: Record<string, unknown>) =>
    (change[name] ?? otherwise)(request);
  const publicClient = {
    estimateContractGas: step('estimateContractGas', () => ESTIMATE),
    waitForTransactionReceipt: step('waitForTransactionReceipt', () => INCLUDED),
    simulateContract: step('simulateContract', () => ({})),
    getTransaction: step('getTransaction', () => {
      throw new TransactionNotFoundError({ hash: HASH });
    }),
  };
  const wallet = {
    prepareTransactionRequest: async (request: { gas: bigint }) => {
      gas = request.gas;
      return request;
    },
    signTransaction: async () => SERIALIZED,
    sendRawTransaction: async ({ serializedTransaction }: { serializedTransaction: Hex }) => {
      sent.push(serializedTransaction);
      return step('sendRawTransaction', () => HASH)({});
    },
  };
  const connection = { publicClient } as unknown as Connection;
  const signer = { account: { address: ACCOUNT }, wallet } as unknown as Signer;
  const done = sendTransaction(connection, signer, CALL);
  return { done, sent, gas: () => gas };
}

describe('chain: one transaction', () => {
  it('is sent once, with room above the estimate, and known by its hash', async () => {
    const { done, sent, gas } = send();
    expect(await done).to.include({ hash: HASH, gasUsed: 90_000n, blockNumber: 7n });
    expect(sent).to.deep.equal([SERIALIZED]);
    // A transition that became due in between is paid by whoever comes first.
    expect(gas() >= (ESTIMATE * 14n) / 10n + 60_000n, `${gas()}`).to.equal(true);
  });

  it('never asks for more gas than a transaction may have, where it fits', async () => {
    const cap = 2n ** 24n;
    const gasFor = async (estimate: bigint) => {
      const { done, gas } = send({ estimateContractGas: () => estimate });
      await done;
      return gas();
    };
    expect(await gasFor(cap - 1n)).to.equal(cap);
    expect((await gasFor(cap + 1n)) > cap, 'a chain that allows more').to.equal(true);
  });

  it('of an account is signed and sent before the next one asks for its nonce', async () => {
    const steps: string[] = [];
    const slow = async (name: string): Promise<void> => {
      steps.push(name);
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const wallet = {
      prepareTransactionRequest: (request: unknown) => slow('nonce').then(() => request),
      signTransaction: async () => SERIALIZED,
      sendRawTransaction: () => slow('sent').then(() => HASH),
    };
    const publicClient = {
      estimateContractGas: async () => ESTIMATE,
      waitForTransactionReceipt: async () => INCLUDED,
    };
    const connection = { publicClient } as unknown as Connection;
    const signer = { account: { address: ACCOUNT }, wallet } as unknown as Signer;
    await Promise.all([1, 2, 3].map(() => sendTransaction(connection, signer, CALL)));
    expect(steps).to.deep.equal(['nonce', 'sent', 'nonce', 'sent', 'nonce', 'sent']);
  });

  it('that would be refused is not sent', async () => {
    const { done, sent } = send({
      estimateContractGas: () => {
        throw refusal();
      },
    });
    await expectError(() => done, 'REVERT_OutOfOrder');
    expect(sent).to.deep.equal([]);
  });

  it('that was included and reverted is an error, with the reason as of its block', async () => {
    const reverted = { waitForTransactionReceipt: () => ({ ...INCLUDED, status: 'reverted' }) };
    let asked: unknown;
    const late = send({
      ...reverted,
      simulateContract: ({ blockNumber }) => {
        asked = blockNumber;
        throw refusal();
      },
    });
    await expectError(() => late.done, 'REVERT_OutOfOrder');
    expect(asked).to.equal(7n);
    await expectError(() => send(reverted).done, 'REVERTED', /finalizeRound was reverted in 0x/);
  });

  it('whose answer was lost is found by its hash; one that the node does not know has failed', async () => {
    const sendRawTransaction = () => {
      throw new BaseError('Nonce too low.');
    };
    const found = send({ sendRawTransaction, getTransaction: ({ hash }) => ({ hash }) });
    expect((await found.done).hash).to.equal(HASH);
    await expectError(() => send({ sendRawTransaction }).done, 'TRANSACTION', /Nonce too low/);
  });

  it('that nobody includes ends with what to do', async () => {
    const { done } = send({
      waitForTransactionReceipt: () => {
        throw new WaitForTransactionReceiptTimeoutError({ hash: HASH });
      },
    });
    await expectError(() => done, 'NOT_INCLUDED', /looks on the chain first and sends nothing twice/);
  });
});

describe('chain: transactions of a node that was killed', () => {
  /** A node whose mined count reaches the pending one with the look of that number. */
  function node(minedAtLook: number) {
    let looks = 0;
    const getTransactionCount = async ({ blockTag }: { blockTag: string }) => {
      if (blockTag === 'pending') return 5;
      return ++looks >= minedAtLook ? 5 : 4;
    };
    return {
      connection: { publicClient: { getTransactionCount } } as unknown as Connection,
      looks: () => looks,
    };
  }

  it('are waited for, so that a restarted one does not act twice', async () => {
    const { connection, looks } = node(3);
    await settlePending(connection, ACCOUNT);
    expect(looks()).to.equal(3);
  });

  it('are not waited for without end', async () => {
    const { connection, looks } = node(Number.POSITIVE_INFINITY);
    await settlePending(connection, ACCOUNT, 0);
    expect(looks()).to.be.within(1, 3);
  });
});

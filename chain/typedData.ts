/**
 * Messages that a participant signs and anybody submits (EIP-712), so that taking part costs it no gas. The Solidity twin is
 * contracts/libraries/TypedData.sol. A message binds chain, federation, round and opening (or challenge): it can be used
 * nowhere else, and what it does can be done once, so it needs no nonce.
 *
 * Source: https://eips.ethereum.org/EIPS/eip-712
 */
import { type Address, type Hex, hashTypedData, type TypedDataDefinition } from 'viem';
import { AssayError } from '../protocol/errors.ts';
import type { Signer } from './rpc.ts';

const TYPES = {
  CommitUpdate: [
    { name: 'round', type: 'uint64' },
    { name: 'opening', type: 'uint32' },
    { name: 'commitHash', type: 'bytes32' },
  ],
  RevealUpdate: [
    { name: 'round', type: 'uint64' },
    { name: 'opening', type: 'uint32' },
    { name: 'root', type: 'bytes32' },
    { name: 'normSq', type: 'uint64' },
    { name: 'cidHash', type: 'bytes32' },
    { name: 'salt', type: 'bytes32' },
  ],
  AnswerChallenge: [
    { name: 'id', type: 'bytes32' },
    { name: 'payee', type: 'address' },
  ],
} as const;

/** Where a message counts: on this chain, in this federation. */
export interface Place {
  readonly chainId: number;
  readonly federation: Address;
}

export interface CommitUpdateMessage {
  readonly round: bigint;
  readonly opening: number;
  readonly commitHash: Hex;
}

export interface RevealUpdateMessage {
  readonly round: bigint;
  readonly opening: number;
  readonly root: Hex;
  readonly normSq: bigint;
  /** keccak256 of the CID's 36 bytes. */
  readonly cidHash: Hex;
  readonly salt: Hex;
}

export interface AnswerChallengeMessage {
  readonly id: Hex;
  /** Who gets the challenge's bond for submitting the answer. */
  readonly payee: Address;
}

/** What `signTypedMessage` signs, a wallet's `eth_signTypedData_v4` shows, and `verifyTypedData` checks. */
export type TypedMessage = TypedDataDefinition<typeof TYPES, keyof typeof TYPES>;

export function commitUpdateTypedData(place: Place, message: CommitUpdateMessage): TypedMessage {
  return { domain: domainOf(place), types: TYPES, primaryType: 'CommitUpdate', message };
}

export function revealUpdateTypedData(place: Place, message: RevealUpdateMessage): TypedMessage {
  return { domain: domainOf(place), types: TYPES, primaryType: 'RevealUpdate', message };
}

export function answerChallengeTypedData(place: Place, message: AnswerChallengeMessage): TypedMessage {
  return { domain: domainOf(place), types: TYPES, primaryType: 'AnswerChallenge', message };
}

/**
 * The 65 bytes of the signer's signature.
 * @throws AssayError `CANNOT_SIGN` when the account's keys are with a node that signs no typed data.
 */
export async function signTypedMessage(signer: Signer, message: TypedMessage): Promise<Hex> {
  try {
    return await signer.wallet.signTypedData({ account: signer.account, ...message });
  } catch (cause) {
    throw new AssayError('CANNOT_SIGN', {
      summary: `${signer.account.address} cannot sign a ${message.primaryType} message`,
      fix: 'use a key file or a wallet that signs typed data (EIP-712)',
      cause,
    });
  }
}

/** The 32 bytes that are signed, as the contract computes them. */
export function typedMessageHash(message: TypedMessage): Hex {
  return hashTypedData(message);
}

function domainOf({ chainId, federation }: Place) {
  return { name: 'Assay', version: '1', chainId, verifyingContract: federation } as const;
}

/**
 * Signed messages of participants, submitted by somebody who pays the gas. What is signed is chain/typedData.ts; what
 * becomes of each message of a batch, the receipt's events say.
 */
import { type Address, bytesToHex, parseEventLogs, type TransactionReceipt, toFunctionSelector } from 'viem';
import type { Hex } from '../protocol/encoding/bytes.ts';
import { federationAbi } from './abi/federation.ts';
import type { Federation } from './federation.ts';
import type { Signer } from './rpc.ts';
import type { Sent } from './transaction.ts';
import type { TypedMessage } from './typedData.ts';

export interface SignedCommit {
  readonly participant: Address;
  readonly commitHash: Hex;
  readonly signature: Hex;
}

export interface SignedReveal {
  readonly participant: Address;
  readonly root: Hex;
  readonly normSq: bigint;
  /** Binary CIDv1 of the payload. */
  readonly cid: Uint8Array;
  readonly salt: Hex;
  readonly signature: Hex;
}

/** @throws AssayError `REVERT_NothingAccepted` when none could be taken; who was refused alone, events say. */
export function commitUpdates(
  federation: Federation,
  signer: Signer,
  round: number,
  commits: readonly SignedCommit[],
): Promise<Sent> {
  return federation.send(signer, 'commitUpdates', [BigInt(round), commits]);
}

/** As `commitUpdates`. */
export function revealUpdates(
  federation: Federation,
  signer: Signer,
  round: number,
  reveals: readonly SignedReveal[],
): Promise<Sent> {
  const structs = reveals.map((reveal) => ({ ...reveal, cid: bytesToHex(reveal.cid) }));
  return federation.send(signer, 'revealUpdates', [BigInt(round), structs]);
}

/** Whether the account signed the message, by its key or as a contract (ERC-1271). */
export function isSignedBy(
  { connection }: Federation,
  account: Address,
  message: TypedMessage,
  signature: Hex,
): Promise<boolean> {
  return connection.publicClient.verifyTypedData({ address: account, ...message, signature } as never);
}

/** Why messages of a batch were skipped: the contract's custom error by participant. */
export function relayRefusals(receipt: TransactionReceipt): Map<Address, string> {
  const refused = parseEventLogs({ abi: federationAbi, eventName: 'RelayRefused', logs: receipt.logs });
  return new Map(refused.map(({ args }) => [args.participant, errorName(args.reason)]));
}

/** Why answers of a batch were skipped: the contract's custom error by challenge. */
export function answerRefusals(receipt: TransactionReceipt): Map<Hex, string> {
  const refused = parseEventLogs({ abi: federationAbi, eventName: 'AnswerRefused', logs: receipt.logs });
  return new Map(refused.map(({ args }) => [args.id, errorName(args.reason)]));
}

const ERROR_NAMES = new Map(
  federationAbi.flatMap((item) =>
    item.type === 'error' ? [[toFunctionSelector(signatureOf(item)), item.name]] : [],
  ) as [Hex, string][],
);

function signatureOf(item: { readonly name: string; readonly inputs: readonly { readonly type: string }[] }): string {
  return `${item.name}(${item.inputs.map(({ type }) => type).join(',')})`;
}

function errorName(selector: Hex): string {
  return ERROR_NAMES.get(selector) ?? selector;
}

/**
 * Availability challenges: who cannot fetch a chunk asks for it on the chain; whoever has it answers; no answer in time
 * convicts its owner. Spec: docs/spec/disputes.md, "Availability".
 */
import { type Address, bytesToHex, hexToBytes, parseEventLogs, zeroAddress } from 'viem';
import type { Hex } from '../protocol/encoding/bytes.ts';
import { AssayError } from '../protocol/errors.ts';
import { NO_PUBLICATION, type Publication } from '../protocol/round/publication.ts';
import type { RevealedUpdate } from '../protocol/round/submission.ts';
import { federationAbi } from './abi/federation.ts';
import type { Federation } from './federation.ts';
import { payable } from './payment.ts';
import type { Signer } from './rpc.ts';
import type { Sent } from './transaction.ts';

/** What a challenge may ask for, in the order of the Solidity enum `ChunkKind`. */
export const CHUNK_KINDS = ['update', 'model', 'state', 'gram'] as const;
export type ChunkKind = (typeof CHUNK_KINDS)[number];

/** A chunk that somebody asks for: which one, of what. */
export interface WantedChunk {
  readonly kind: ChunkKind;
  readonly round: number;
  /** The participant's registration index, for `update`; else 0. */
  readonly index: number;
  /** Index of the chunk; for `gram` of the span. */
  readonly chunk: number;
}

/** A challenge as its event announced it. */
export interface OpenedChallenge extends WantedChunk {
  readonly id: Hex;
  readonly challenger: Address;
  /** Who must answer for it. */
  readonly owner: Address;
  /** Paid to whoever answers. */
  readonly bond: bigint;
  /** Unix seconds of the chain, the first that is too late. */
  readonly answerBy: number;
  readonly blockNumber: bigint;
}

/** A challenge as the contract holds it. */
export interface ChallengeState {
  /** The zero address when there is none (any more). */
  readonly challenger: Address;
  /** What the answer must open. */
  readonly root: Hex;
  readonly normSq: bigint;
  /** n, for `gram`. */
  readonly rows: number;
  readonly answered: boolean;
  readonly answerBy: number;
}

export interface Answer {
  readonly id: Hex;
  /** The chunk and its path, packed. */
  readonly opening: Uint8Array;
  /** Who is paid; default the sender. Anybody else needs the owner's signature. */
  readonly payee?: Address;
  readonly signature?: Hex;
}

/** The publication as the contract's struct; the empty one for null. */
export function publicationStruct(publication: Publication | null) {
  const { modelCid, evidenceCid, ...roots } = publication ?? NO_PUBLICATION;
  return { ...roots, modelCid: bytesToHex(modelCid), evidenceCid: bytesToHex(evidenceCid) };
}

/** The least bond for a challenge of this kind in this round, now. */
export function availabilityBond(federation: Federation, kind: ChunkKind, round: number): Promise<bigint> {
  return federation.read('availabilityBond', [CHUNK_KINDS.indexOf(kind), BigInt(round)]);
}

export async function challengeState(federation: Federation, id: Hex): Promise<ChallengeState> {
  const { answerBy, ...raw } = await federation.read<Omit<ChallengeState, 'answerBy'> & { answerBy: number | bigint }>(
    'challenge',
    [id],
  );
  return { ...raw, answerBy: Number(answerBy) };
}

/**
 * Asks for a chunk and posts the bond.
 * @param reveals the round's, in their order, for an update; else empty
 * @param publication for a model, state or Gram chunk; else null
 * @throws AssayError `REVERT_ChallengeExists` when somebody asked before, `REVERT_ChallengeNotAllowed`, and those of a
 *   transaction.
 */
export async function challengeAvailability(
  federation: Federation,
  signer: Signer,
  { kind, round, index, chunk }: WantedChunk,
  reveals: readonly RevealedUpdate[],
  publication: Publication | null,
): Promise<{ readonly challenge: OpenedChallenge; readonly sent: Sent }> {
  const least = await availabilityBond(federation, kind, round);
  // Of coin all that is sent is the bond, and the least may grow with the base fee until the block comes.
  const amount = federation.parameters.stakeToken === zeroAddress ? least + least / 4n : least;
  const bond = await payable(federation, signer, amount);
  const args = [CHUNK_KINDS.indexOf(kind), BigInt(round), index, chunk, reveals, publicationStruct(publication)];
  const sent = await federation.send(signer, 'challengeAvailability', args, bond);
  const [opened] = parseEventLogs({ abi: federationAbi, eventName: 'ChallengeOpened', logs: sent.receipt.logs });
  if (opened === undefined) {
    throw new AssayError('CHALLENGE_LOST', {
      summary: 'the transaction of an availability challenge announced none',
      expected: 'an event ChallengeOpened',
      received: sent.hash,
    });
  }
  return { challenge: openedChallenge(opened), sent };
}

/** Answers challenges, anybody's. @throws AssayError `REVERT_NothingAccepted` when none of the answers was taken. */
export function answerChallenges(federation: Federation, signer: Signer, answers: readonly Answer[]): Promise<Sent> {
  const structs = answers.map(({ id, opening, payee = signer.account.address, signature = '0x' }) => ({
    id,
    payee,
    opening: bytesToHex(opening),
    signature,
  }));
  return federation.send(signer, 'answerChallenges', [structs]);
}

/** After its deadline: convicts who did not answer, or returns the bond when what was asked for is void. */
export function settleChallenge(federation: Federation, signer: Signer, id: Hex): Promise<Sent> {
  return federation.send(signer, 'settleChallenge', [id]);
}

/** The challenges that were opened, oldest first. `args`: indexed fields (id, round, owner). */
export async function openedChallenges(
  federation: Federation,
  args: { readonly round?: bigint; readonly owner?: Address } = {},
  fromBlock?: bigint,
): Promise<OpenedChallenge[]> {
  return (await federation.events('ChallengeOpened', args, fromBlock)).map(openedChallenge);
}

/** The answers of a round, by challenge. */
export async function answersOf(federation: Federation, round: number): Promise<Map<Hex, Uint8Array>> {
  const events = await federation.events('ChallengeAnswered', { round: BigInt(round) });
  return new Map(events.map(({ args }) => [args.id, hexToBytes(args.opening)]));
}

interface ChallengeOpenedEvent {
  readonly blockNumber: bigint;
  readonly args: {
    readonly id: Hex;
    readonly round: bigint;
    readonly kind: number;
    readonly index: number;
    readonly chunk: number;
    readonly challenger: Address;
    readonly owner: Address;
    readonly bond: bigint;
    readonly answerBy: bigint;
  };
}

function openedChallenge({ args, blockNumber }: ChallengeOpenedEvent): OpenedChallenge {
  return {
    ...args,
    kind: CHUNK_KINDS[args.kind]!,
    round: Number(args.round),
    answerBy: Number(args.answerBy),
    blockNumber,
  };
}

/**
 * The one place from which nodes talk to a federation's contract: what it says, in the protocol's types, and the
 * transactions of a round's life. (The auditor does not use it: it reads the chain through another library.)
 */
import { type Address, bytesToHex, getAddress, type Hex, hexToBytes, isAddress, zeroAddress } from 'viem';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';
import type { FederationParameters } from '../protocol/round/parameters.ts';
import type { Publication } from '../protocol/round/publication.ts';
import { accumulateAll, type Submission } from '../protocol/round/submission.ts';
import { federationAbi } from './abi/federation.ts';
import { type RoundView, toParameters, toRoundView } from './convert.ts';
import { type FederationEvent, type FederationEventName, readEvents } from './events.ts';
import { payable } from './payment.ts';
import { isAfter } from './position.ts';
import { type StandingPublication, standing } from './publications.ts';
import { explainFailure } from './revert.ts';
import type { Connection, Signer } from './rpc.ts';
import { type Sent, sendTransaction } from './transaction.ts';

export type Role = 'participant' | 'aggregator';
const ROLES: readonly Role[] = ['participant', 'aggregator'];

/** The contract looks at no bit of a commit hash, except that it is not zero. */
const ANY_COMMIT_HASH: Hex = `0x${'01'.repeat(32)}`;

/** A participant's account, as of now (contracts/types/Actors.sol). */
export interface ParticipantView {
  readonly account: Address;
  readonly index: number;
  readonly active: boolean;
  /** Wei. */
  readonly stake: bigint;
  readonly committedRound: bigint;
  readonly committedOpening: number;
  readonly revealed: boolean;
  readonly exitRequestedAt: bigint;
}

/** An aggregator's account (contracts/types/Actors.sol). */
export interface AggregatorView {
  readonly account: Address;
  readonly activeFromRound: number;
  readonly activeUntilRound: number;
  /** Wei. */
  readonly stake: bigint;
  readonly exitRequestedAt: bigint;
}

/** Where a model of the federation's history is stored. */
export interface ModelLocation {
  /** The round that published it; 0 for the genesis model. */
  readonly round: number;
  readonly cid: string;
  readonly evidenceCid: string | null;
  /** Who published it; null for the genesis model. */
  readonly publisher: Address | null;
  readonly stateRoot: Hex | null;
}

export class Federation {
  readonly address: Address;
  readonly connection: Connection;
  readonly parameters: FederationParameters;

  private constructor(connection: Connection, address: Address, parameters: FederationParameters) {
    this.connection = connection;
    this.address = address;
    this.parameters = parameters;
  }

  /** @throws AssayError `FEDERATION_ADDRESS` or `UNKNOWN_FEDERATION` when no federation answers at `address`. */
  static async at(connection: Connection, address: string): Promise<Federation> {
    if (!isAddress(address)) {
      throw new AssayError('FEDERATION_ADDRESS', {
        summary: 'not the address of a federation',
        expected: '0x and 40 hexadecimal digits with a valid checksum',
        received: address,
      });
    }
    const checked = getAddress(address);
    const unknown = (cause?: unknown) =>
      new AssayError('UNKNOWN_FEDERATION', {
        summary: `there is no federation at ${checked} on chain ${connection.chainId}`,
        expected: 'the address that `assay deploy` printed',
        received: cause === undefined ? 'an address without a contract' : 'a contract of another kind',
        fix: 'check --federation and --rpc-url; a local chain forgets its contracts when it is restarted',
        cause,
      });
    const code = await connection.publicClient.getCode({ address: checked });
    if (code === undefined || code === '0x') throw unknown();
    try {
      const raw = await connection.publicClient.readContract({
        address: checked,
        abi: federationAbi,
        functionName: 'parameters',
      });
      return new Federation(connection, checked, toParameters(raw));
    } catch (error) {
      const explained = explainFailure('parameters', error);
      throw explained.code === 'RPC_DOWN' ? explained : unknown(error);
    }
  }

  // -------------------------------------------------------------------------------- what the contract
  // says

  /** What a view of the contract answers; for the modules beside this one. */
  read<T>(functionName: string, args: readonly unknown[] = []): Promise<T> {
    return this.connection.publicClient
      .readContract({ address: this.address, abi: federationAbi, functionName, args } as never)
      .catch((error: unknown) => {
        throw explainFailure(functionName, error);
      }) as Promise<T>;
  }

  /**
   * The round that takes commits, reveals or a publication now; 0 before round 1, the last one once all are published.
   */
  async currentRound(): Promise<number> {
    return Number(await this.read<bigint>('currentRound'));
  }

  async lastFinalRound(): Promise<number> {
    return Number(await this.read<bigint>('lastFinalRound'));
  }

  async round(number: number): Promise<RoundView> {
    return toRoundView(await this.read('round', [BigInt(number)]));
  }

  /** The account as participant, or null when it is not registered. */
  async participant(account: Address): Promise<ParticipantView | null> {
    const view = await this.read<ParticipantView>('participant', [account]);
    return view.account === zeroAddress ? null : view;
  }

  /** The participant with that registration index, or null when the index is free. */
  async participantAt(index: number): Promise<ParticipantView | null> {
    const view = await this.read<ParticipantView>('participantAt', [index]);
    return view.account === zeroAddress ? null : view;
  }

  /** The account as aggregator, or null when it is not registered. */
  async aggregator(account: Address): Promise<AggregatorView | null> {
    const view = await this.read<AggregatorView>('aggregator', [account]);
    return view.account === zeroAddress ? null : view;
  }

  aggregators(): Promise<readonly AggregatorView[]> {
    return this.read('aggregators');
  }

  participantCount(): Promise<number> {
    return this.read('participantCount');
  }

  isMember(account: Address): Promise<boolean> {
    return this.read('isMember', [account]);
  }

  hasCommitted(round: number, account: Address): Promise<boolean> {
    return this.read('hasCommitted', [BigInt(round), account]);
  }

  hasRevealed(round: number, account: Address): Promise<boolean> {
    return this.read('hasRevealed', [BigInt(round), account]);
  }

  /** Unix seconds of the newest block: the clock that deadlines are read by. */
  async chainTime(): Promise<number> {
    return Number((await this.connection.publicClient.getBlock()).timestamp);
  }

  // -------------------------------------------------------------------------------- what its events say

  /**
   * The reveals of the round's present opening, in their order, checked against the contract's accumulator.
   * @throws AssayError `EVENTS_INCOMPLETE` when the node's events do not add up to the accumulator.
   */
  async submissions(view: RoundView): Promise<Submission[]> {
    const round = BigInt(view.number);
    const openings = await this.events('RoundOpened', { round });
    const opened = openings.findLast(({ args }) => args.opening === view.opening);
    const reveals = await this.events('UpdateRevealed', { round }, opened?.blockNumber);
    const submissions = reveals
      .filter((event) => opened === undefined || isAfter(event, opened))
      .map(({ args }) => ({
        index: args.index,
        participant: args.participant,
        root: args.root,
        normSq: args.normSq,
        cid: hexToBytes(args.cid),
      }));
    if (accumulateAll(submissions) !== view.accumulator) {
      throw new AssayError('EVENTS_INCOMPLETE', {
        summary: `the chain node's events of round ${view.number} do not add up to the contract's accumulator`,
        expected: `${view.revealed} reveals with accumulator ${view.accumulator}`,
        received: `${submissions.length} reveals`,
        fix: 'use a node that keeps all logs, or wait until it has caught up',
      });
    }
    return submissions;
  }

  /** The CID that the participant with that index revealed for `root`, or null when there is no such reveal. */
  async revealedCid(round: number, index: number, root: Hex): Promise<string | null> {
    const reveals = await this.events('UpdateRevealed', { round: BigInt(round) });
    const revealed = reveals.findLast(({ args }) => args.index === index && args.root === root);
    return revealed === undefined ? null : cidFromBytes(hexToBytes(revealed.args.cid));
  }

  /**
   * Where the model with `root` is stored: the newest publication of that root that stands, or the genesis model. A
   * voided publication is passed over: whoever published it may have named bytes of another model.
   * @param before only publications of rounds below this one, for the base model of that round
   * @throws AssayError `UNKNOWN_MODEL` when nobody published it.
   */
  async locateModel(root: Hex, before = Number.POSITIVE_INFINITY): Promise<ModelLocation> {
    const published = (await this.standingPublications()).findLast(
      ({ round, publication }) => round < before && publication.modelRoot === root,
    );
    if (published !== undefined) {
      const { round, publication, aggregator } = published;
      return {
        round,
        cid: cidFromBytes(publication.modelCid),
        evidenceCid: cidFromBytes(publication.evidenceCid),
        stateRoot: publication.stateRoot,
        publisher: aggregator,
      };
    }
    if (root === this.parameters.genesisModelRoot) {
      return {
        round: 0,
        cid: cidFromBytes(this.parameters.genesisModelCid),
        evidenceCid: null,
        stateRoot: null,
        publisher: null,
      };
    }
    throw new AssayError('UNKNOWN_MODEL', {
      summary: `no publication of this federation has the model root ${root}`,
      fix: 'use a chain node that keeps all logs',
    });
  }

  /** The publications that stand, by round: each voided one, and all that were built on it, are gone. */
  async standingPublications(): Promise<StandingPublication[]> {
    const [published, voided] = await Promise.all([this.events('RoundPublished'), this.events('RoundVoided')]);
    return standing(published, voided);
  }

  /** Base URLs under which members serve payloads, the newest announcement of each account. */
  async gateways(): Promise<Map<Address, string>> {
    const [participants, aggregators, changes] = await Promise.all([
      this.events('ParticipantRegistered'),
      this.events('AggregatorRegistered'),
      this.events('GatewayChanged'),
    ]);
    const announcements = [
      ...participants.map((event) => ({ event, account: event.args.participant, gateway: event.args.gateway })),
      ...aggregators.map((event) => ({ event, account: event.args.aggregator, gateway: event.args.gateway })),
      ...changes.map((event) => ({ event, account: event.args.account, gateway: event.args.gateway })),
    ].sort((a, b) => (isAfter(a.event, b.event) ? 1 : -1));
    return new Map(
      announcements.filter(({ gateway }) => gateway !== '').map(({ account, gateway }) => [account, gateway]),
    );
  }

  /** Events of this federation by name, oldest first. */
  events<Name extends FederationEventName>(
    eventName: Name,
    args: Record<string, unknown> = {},
    fromBlock?: bigint,
  ): Promise<FederationEvent<Name>[]> {
    const query = { federation: this.address, eventName, args, ...(fromBlock === undefined ? {} : { fromBlock }) };
    return readEvents(this.connection, query);
  }

  // -------------------------------------------------------------------------------- transactions

  /** `value` in wei. Like all the transactions below it throws what `sendTransaction` throws. */
  send(signer: Signer, functionName: string, args: readonly unknown[], value = 0n): Promise<Sent> {
    return sendTransaction(this.connection, signer, {
      address: this.address,
      abi: federationAbi,
      functionName,
      args,
      value,
    });
  }

  /** @param stake wei, at least what the federation asks for */
  async register(signer: Signer, role: Role, gateway: string, stake: bigint): Promise<Sent> {
    const functionName = role === 'participant' ? 'registerParticipant' : 'registerAggregator';
    return this.send(signer, functionName, [gateway, stake, '0x'], await payable(this, signer, stake));
  }

  setGateway(signer: Signer, gateway: string): Promise<Sent> {
    return this.send(signer, 'setGateway', [gateway]);
  }

  /** @param amount wei added to the stake */
  async topUp(signer: Signer, role: Role, amount: bigint): Promise<Sent> {
    return this.send(signer, 'topUp', [ROLES.indexOf(role), amount, '0x'], await payable(this, signer, amount));
  }

  /**
   * Asks the contract, without a transaction, whether it would take a commit of this account now: before hours of
   * training that would be in vain.
   * @throws AssayError as `commitUpdate` does.
   */
  async checkCommit(account: Address, round: number): Promise<void> {
    const call = { address: this.address, abi: federationAbi, functionName: 'commitUpdate' } as const;
    try {
      await this.connection.publicClient.simulateContract({ ...call, account, args: [BigInt(round), ANY_COMMIT_HASH] });
    } catch (error) {
      throw explainFailure('commitUpdate', error);
    }
  }

  commitUpdate(signer: Signer, round: number, commitHash: Hex): Promise<Sent> {
    return this.send(signer, 'commitUpdate', [BigInt(round), commitHash]);
  }

  revealUpdate(
    signer: Signer,
    round: number,
    opened: { readonly root: Hex; readonly normSq: bigint; readonly cid: Uint8Array; readonly salt: Hex },
  ): Promise<Sent> {
    const { root, normSq, cid, salt } = opened;
    return this.send(signer, 'revealUpdate', [BigInt(round), root, normSq, bytesToHex(cid), salt]);
  }

  publishRound(signer: Signer, round: number, publication: Publication): Promise<Sent> {
    const { modelCid, evidenceCid, ...roots } = publication;
    const struct = { ...roots, modelCid: bytesToHex(modelCid), evidenceCid: bytesToHex(evidenceCid) };
    return this.send(signer, 'publishRound', [BigInt(round), struct]);
  }

  finalizeRound(signer: Signer, round: number): Promise<Sent> {
    return this.send(signer, 'finalizeRound', [BigInt(round)]);
  }

  advance(signer: Signer, round: number): Promise<Sent> {
    return this.send(signer, 'advance', [BigInt(round)]);
  }

  settleMissedReveal(signer: Signer, participant: Address): Promise<Sent> {
    return this.send(signer, 'settleMissedReveal', [participant]);
  }

  requestExit(signer: Signer, role: Role): Promise<Sent> {
    return this.send(signer, 'requestExit', [ROLES.indexOf(role)]);
  }

  withdraw(signer: Signer, role: Role): Promise<Sent> {
    return this.send(signer, 'withdraw', [ROLES.indexOf(role)]);
  }
}

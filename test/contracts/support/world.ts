/**
 * A federation on a fresh in-process chain, and short names for what its people do. Scenario tests read like stories;
 * everything here goes through real transactions.
 */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import hre from 'hardhat';
import {
  type Abi,
  type Address,
  concatHex,
  decodeErrorResult,
  encodeAbiParameters,
  erc20Abi,
  type Hex,
  isHex,
  keccak256,
  parseAbi,
  parseEther,
  parseEventLogs,
  type TransactionReceipt,
  zeroAddress,
  zeroHash,
} from 'viem';
import { federationAbi } from '../../../chain/abi/federation.ts';
import { federationFactoryAbi } from '../../../chain/abi/federationFactory.ts';
import { fromRule, fromServerStep } from '../../../chain/convert.ts';
import { MODULES, type ModuleName } from '../../../chain/deploy.ts';
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG } from '../../../protocol/aggregation/serverStep.ts';
import { submissionSet } from '../../../protocol/round/publication.ts';

export const Phase = {
  None: 0,
  Open: 1,
  Commit: 2,
  Reveal: 3,
  Aggregate: 4,
  Challenge: 5,
  Final: 6,
  Abandoned: 7,
} as const;
export const Role = { Participant: 0, Aggregator: 1 } as const;
export const BURN_ADDRESS = '0x000000000000000000000000000000000000dEaD';
export const STAKE = parseEther('1');
export const NO_BOUND = 2n ** 64n - 1n;

/** 32 bytes that look random: realistic calldata costs. */
export const hash = (...parts: (string | number)[]): Hex =>
  `0x${createHash('sha256').update(parts.join('/')).digest('hex')}`;
/** A well-formed binary CID. */
export const cidOf = (...parts: (string | number)[]): Hex => concatHex(['0x01551220', hash('cid', ...parts)]);

export const baseParameters = {
  manifestCid: cidOf('manifest'),
  genesisModelCid: cidOf('genesis'),
  genesisModelRoot: hash('genesis root'),
  participantStake: STAKE,
  commitWindowSeconds: 600,
  revealWindowSeconds: 300,
  totalRounds: 0,
  minParticipants: 4,
  minUpdates: 3,
  maxParticipants: 10,
  openMembership: true,
  normSqBound: 1_000_000n,
  aggregateWindowSeconds: 200,
  challengeWindowSeconds: 1000,
  withdrawalDelaySeconds: 50,
  missedRevealPenalty: STAKE / 10n,
  aggregatorStake: 2n * STAKE,
  missedTurnPenalty: STAKE / 5n,
  dimension: 50_890n,
  chunkSize: 256,
  modelFractionBits: 24,
  updateFractionBits: 16,
  enforced: true,
  rule: fromRule(parseRule('nnm+trimmed-mean', 1)),
  serverStep: fromServerStep(FED_AVG),
  stakeToken: zeroAddress as Address,
  proofBond: STAKE / 10n,
  bondGasPrice: 1_000_000_000n,
  roundReward: 0n,
  answerWindowSeconds: 100,
  aggregatorRewardBps: 2_000,
  contributionRewardBps: 0,
};
export type Parameters = typeof baseParameters;

export interface Update {
  readonly root: Hex;
  readonly normSq: bigint;
  readonly cid: Hex;
  readonly salt: Hex;
}

/** As the contract's struct RevealedUpdate. */
export interface Revealed {
  readonly index: number;
  readonly participant: Address;
  readonly root: Hex;
  readonly normSq: bigint;
  readonly cidHash: Hex;
}

export interface Contract {
  readonly address: Address;
  readonly abi: Abi;
}

export interface WorldOptions {
  readonly parameters?: Partial<Parameters>;
  /** Participants registered at the start; wallets 1.. */
  readonly participants?: number;
  /** Aggregators registered at the start; wallets 30.. */
  readonly aggregators?: number;
  readonly members?: readonly Address[];
  /** A federation whose dispute hooks anybody may call. */
  readonly harness?: boolean;
  /** Wallets there are; 40 unless told. */
  readonly accounts?: number;
  /** The chain's rules: an older fork's, to tell apart what calldata and what computation cost. */
  readonly hardfork?: 'cancun';
}

type Wallet = Awaited<ReturnType<Connection['viem']['getWalletClients']>>[number];
type Connection = Awaited<ReturnType<typeof connect>>;
// biome-ignore lint/suspicious/noExplicitAny: the tests compare views field by field
type Answer = any;

const connect = ({ accounts = 40, hardfork }: WorldOptions = {}) =>
  hre.network.create({
    network: 'default',
    override: { accounts: { count: accounts }, ...(hardfork === undefined ? {} : { hardfork }) },
  });

export interface Occurred {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** One chain, one factory, one federation. Wallet 0 created it. */
export class World {
  readonly connection: Connection;
  readonly wallets: Wallet[];
  readonly abi: Abi;
  readonly factory: Address;
  federation: Address;
  /** What the federation is paid in; null for the chain's own coin. */
  token: Address | null = null;
  /** Accounts that are no wallets and take part. */
  readonly others: Address[] = [];

  constructor(connection: Connection, wallets: Wallet[], abi: Abi, factory: Address, federation: Address) {
    this.connection = connection;
    this.wallets = wallets;
    this.abi = abi;
    this.factory = factory;
    this.federation = federation;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const connection = await connect(options);
    const { viem } = connection;
    const wallets = await viem.getWalletClients();
    const modules: Record<string, Address> = {};
    for (const [module, contract] of Object.entries(MODULES)) {
      modules[module] = (await viem.deployContract(contract)).address;
    }
    const name = options.harness ? 'FederationHarness' : 'Federation';
    const implementation = await viem.deployContract(name, [modules as Record<ModuleName, Address>]);
    const factory = await viem.deployContract('FederationFactory', [implementation.address]);
    const extra = options.harness ? (await hre.artifacts.readArtifact('FederationHarness')).abi : [];
    const hooks = (extra as Abi).filter((entry) => entry.type === 'function' && entry.name.startsWith('void'));
    const world = new World(connection, wallets, [...federationAbi, ...hooks], factory.address, factory.address);
    world.federation = await world.createFederation(options.parameters, options.members);
    for (let i = 0; i < (options.participants ?? 4); i++) await world.register(world.participant(i));
    for (let i = 0; i < (options.aggregators ?? 2); i++) await world.registerAggregator(world.aggregator(i));
    return world;
  }

  /** Creates another federation of the same factory and returns its address. */
  async createFederation(parameters: Partial<Parameters> = {}, members: readonly Address[] = []): Promise<Address> {
    const receipt = await this.requestFederation(parameters, members);
    const [event] = parseEventLogs({ abi: federationFactoryAbi, eventName: 'FederationCreated', logs: receipt.logs });
    return event!.args.federation;
  }

  requestFederation(
    parameters: Partial<Parameters> = {},
    members: readonly Address[] = [],
  ): Promise<TransactionReceipt> {
    const args = [{ ...baseParameters, ...parameters }, members];
    return this.sendTo(this.factory, federationFactoryAbi as Abi, this.wallets[0]!, 'createFederation', args);
  }

  participant(i: number): Wallet {
    return this.wallets[1 + i]!;
  }

  aggregator(i: number): Wallet {
    return this.wallets[30 + i]!;
  }

  // ---- transactions

  async sendTo(
    address: Address,
    abi: Abi,
    wallet: Wallet,
    functionName: string,
    args: unknown[],
    value = 0n,
  ): Promise<TransactionReceipt> {
    const hash = await wallet.writeContract({ address, abi, functionName, args, value });
    const reader = await this.connection.viem.getPublicClient();
    return reader.getTransactionReceipt({ hash });
  }

  send(wallet: Wallet, functionName: string, args: unknown[] = [], value = 0n): Promise<TransactionReceipt> {
    return this.sendTo(this.federation, this.abi, wallet, functionName, args, value);
  }

  register(wallet: Wallet, stake = STAKE): Promise<TransactionReceipt> {
    return this.send(wallet, 'registerParticipant', ['http://127.0.0.1:7001', stake, '0x'], this.coin(stake));
  }

  registerAggregator(wallet: Wallet, stake = 2n * STAKE): Promise<TransactionReceipt> {
    return this.send(wallet, 'registerAggregator', ['http://127.0.0.1:7100', stake, '0x'], this.coin(stake));
  }

  topUp(wallet: Wallet, role: number, amount: bigint): Promise<TransactionReceipt> {
    return this.send(wallet, 'topUp', [role, amount, '0x'], this.coin(amount));
  }

  fundRewards(wallet: Wallet, amount: bigint): Promise<TransactionReceipt> {
    return this.send(wallet, 'fundRewards', [amount, '0x'], this.coin(amount));
  }

  /** What goes with a call that pays `amount`: nothing, when the federation takes a token. */
  private coin(amount: bigint): bigint {
    return this.token === null ? amount : 0n;
  }

  /**
   * From now on the world's federation is one that takes an ERC-20, of which every wallet has plenty and has allowed it
   * all.
   */
  async useToken(parameters: Partial<Parameters> = {}): Promise<Contract> {
    const { address, abi } = await this.connection.viem.deployContract('TestToken');
    const token: Contract = { address, abi: abi as Abi };
    this.federation = await this.createFederation({ ...parameters, stakeToken: address });
    this.token = address;
    for (const wallet of this.wallets) {
      await this.sendTo(address, token.abi, wallet, 'mint', [wallet.account.address, 1000n * STAKE]);
      await this.sendTo(address, token.abi, wallet, 'approve', [this.federation, 1000n * STAKE]);
    }
    return token;
  }

  /** The update that wallet makes for a round; `variant` makes another one. */
  update(wallet: Wallet, round: number, variant = 0): Update {
    const key = [wallet.account.address, round, variant].join('/');
    return { root: hash('root', key), normSq: 123_456n, cid: cidOf(key), salt: hash('salt', key) };
  }

  async seal(wallet: Wallet, round: number, update: Update, federation = this.federation): Promise<Hex> {
    const { baseModelRoot } = await this.round(round);
    return keccak256(
      encodeAbiParameters(
        [
          { type: 'uint256' },
          { type: 'address' },
          { type: 'uint64' },
          { type: 'bytes32' },
          { type: 'address' },
          { type: 'bytes32' },
          { type: 'uint64' },
          { type: 'bytes32' },
          { type: 'bytes32' },
        ],
        [
          31337n,
          federation,
          BigInt(round),
          baseModelRoot,
          wallet.account.address,
          update.root,
          update.normSq,
          keccak256(update.cid),
          update.salt,
        ],
      ),
    );
  }

  async commit(wallet: Wallet, round: number, update = this.update(wallet, round)): Promise<TransactionReceipt> {
    return this.send(wallet, 'commitUpdate', [BigInt(round), await this.seal(wallet, round, update)]);
  }

  reveal(wallet: Wallet, round: number, update = this.update(wallet, round)): Promise<TransactionReceipt> {
    const { root, normSq, cid, salt } = update;
    return this.send(wallet, 'revealUpdate', [BigInt(round), root, normSq, cid, salt]);
  }

  /** What the leader publishes for the round as it stands now; made up, but of the form that the contract takes. */
  async publication(round: number, variant = 0) {
    const { accumulator, voidedBitmap } = await this.round(round);
    return {
      modelRoot: hash('model', round, variant),
      stateRoot: zeroHash,
      gramRoot: hash('gram', round, variant),
      mixingHash: hash('mixing', round, variant),
      submissionSet: submissionSet(accumulator, voidedBitmap),
      modelCid: cidOf('model', round, variant),
      evidenceCid: cidOf('evidence', round, variant),
    };
  }

  async publish(wallet: Wallet, round: number, variant = 0): Promise<TransactionReceipt> {
    return this.send(wallet, 'publishRound', [BigInt(round), await this.publication(round, variant)]);
  }

  /** Whose turn it is to publish the round. */
  async leader(round: number): Promise<Wallet> {
    const address = (await this.read('leader', [BigInt(round)])) as Address;
    return this.wallets.find(({ account }) => account.address.toLowerCase() === address.toLowerCase())!;
  }

  /** Commits and reveals of the first `n` participants (all four by default). */
  async contribute(round: number, n = 4): Promise<void> {
    for (let i = 0; i < n; i++) await this.commit(this.participant(i), round);
    if (n < 4) await this.passDeadline(round);
    for (let i = 0; i < n; i++) await this.reveal(this.participant(i), round);
  }

  /** A whole round up to its publication. */
  async play(round: number, n = 4): Promise<void> {
    await this.contribute(round, n);
    await this.publish(await this.leader(round), round);
  }

  async finalize(round: number): Promise<void> {
    await this.passDeadline(round);
    await this.send(this.wallets[0]!, 'finalizeRound', [BigInt(round)]);
  }

  // ---- questions

  async read(functionName: string, args: unknown[] = []): Promise<Answer> {
    const reader = await this.connection.viem.getPublicClient();
    return reader.readContract({ address: this.federation, abi: this.abi, functionName, args });
  }

  /** Asks the factory. */
  async readFactory(functionName: string, args: unknown[] = []): Promise<Answer> {
    const reader = await this.connection.viem.getPublicClient();
    return reader.readContract({ address: this.factory, abi: federationFactoryAbi as Abi, functionName, args });
  }

  round(round: number): Promise<Answer> {
    return this.read('round', [BigInt(round)]);
  }

  async phase(round: number): Promise<number> {
    return this.read('currentPhase', [BigInt(round)]);
  }

  async currentRound(): Promise<number> {
    return Number(await this.read('currentRound'));
  }

  participantOf(wallet: Wallet): Promise<Answer> {
    return this.read('participant', [wallet.account.address]);
  }

  aggregatorOf(wallet: Wallet): Promise<Answer> {
    return this.read('aggregator', [wallet.account.address]);
  }

  async balance(address: Address): Promise<bigint> {
    return (await this.connection.viem.getPublicClient()).getBalance({ address });
  }

  events(receipt: TransactionReceipt): Occurred[] {
    return parseEventLogs({ abi: this.abi, logs: receipt.logs }).map((log) => {
      const { eventName, args } = log as unknown as { eventName: string; args: Record<string, unknown> };
      return { name: eventName, args };
    });
  }

  eventNames(receipt: TransactionReceipt): string[] {
    return this.events(receipt).map(({ name }) => name);
  }

  event(receipt: TransactionReceipt, name: string): Record<string, unknown> {
    const found = this.events(receipt).find((event) => event.name === name);
    expect(found, `event ${name} among ${this.eventNames(receipt).join(', ')}`).to.not.equal(undefined);
    return found!.args;
  }

  // ---- time

  async now(): Promise<bigint> {
    return (await (await this.connection.viem.getPublicClient()).getBlock()).timestamp;
  }

  async increase(seconds: number | bigint): Promise<void> {
    const client = await this.connection.viem.getTestClient();
    await client.increaseTime({ seconds: Number(seconds) });
    await client.mine({ blocks: 1 });
  }

  /** The next block has this timestamp. */
  async nextBlockAt(timestamp: bigint): Promise<void> {
    await (await this.connection.viem.getTestClient()).setNextBlockTimestamp({ timestamp });
  }

  /** Mines a block at the first moment that is too late for the round's phase. */
  async passDeadline(round: number): Promise<void> {
    const { deadline } = await this.round(round);
    const client = await this.connection.viem.getTestClient();
    await client.setNextBlockTimestamp({ timestamp: deadline });
    await client.mine({ blocks: 1 });
  }

  async mine(blocks: number): Promise<void> {
    await (await this.connection.viem.getTestClient()).mine({ blocks });
  }

  // ---- state of the chain

  /** Runs a story and forgets that it happened. */
  async scratch<T>(story: () => Promise<T>): Promise<T> {
    const client = await this.connection.viem.getTestClient();
    const id = await client.snapshot();
    try {
      return await story();
    } finally {
      await client.revert({ id });
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  /**
   * No coin is lost or made: what the contract holds is what it owes: stakes, credits that were not withdrawn, bonds of
   * challenges that are open, rewards promised and not yet promised.
   */
  async checkBooks(): Promise<void> {
    let owed: bigint = await this.read('rewardPool');
    for (let round = await this.currentRound(); round > 0; round--) {
      owed += await this.read('rewardOf', [BigInt(round)]);
    }
    for (const account of [...this.wallets.map((wallet) => wallet.account.address), ...this.others]) {
      owed += (await this.read('participant', [account])).stake + (await this.read('aggregator', [account])).stake;
    }
    owed += (await this.sumOf('Credited', 'amount')) - (await this.sumOf('CreditWithdrawn', 'amount'));
    owed += await this.sumOf('ChallengeOpened', 'bond');
    owed -= (await this.sumOf('ChallengeAnswered', 'paid')) + (await this.sumOf('ChallengeRefunded', 'bond'));
    expect(await this.held(this.federation), 'balance = stakes + credits + bonds + rewards').to.equal(owed);
  }

  /** Sum of one field over all events of a name. */
  private async sumOf(eventName: string, field: string): Promise<bigint> {
    const reader = await this.connection.viem.getPublicClient();
    const logs = await reader.getContractEvents({
      address: this.federation,
      abi: this.abi,
      eventName,
      fromBlock: 0n,
    });
    return (logs as unknown as { args: Record<string, bigint> }[]).reduce((sum, { args }) => sum + args[field]!, 0n);
  }

  /** What an account has of the coin or token that the federation takes. */
  async held(account: Address): Promise<bigint> {
    if (this.token === null) return this.balance(account);
    const reader = await this.connection.viem.getPublicClient();
    return reader.readContract({ address: this.token, abi: erc20Abi, functionName: 'balanceOf', args: [account] });
  }

  /** The round's reveals in their order, as proofs and rewards name them. */
  async reveals(round: number): Promise<Revealed[]> {
    const reader = await this.connection.viem.getPublicClient();
    const logs = await reader.getContractEvents({
      address: this.federation,
      abi: federationAbi,
      eventName: 'UpdateRevealed',
      args: { round: BigInt(round) },
      fromBlock: 0n,
    });
    const all = logs.map(({ args }) => ({
      index: args.index!,
      participant: args.participant!,
      root: args.root!,
      normSq: args.normSq!,
      cidHash: keccak256(args.cid!),
    }));
    // A round that was opened again has reveals of its void openings before those that count.
    const { revealed } = await this.round(round);
    return all.slice(all.length - revealed);
  }
}

/** Every custom error there is, whoever threw it. */
const tokenErrors = parseAbi([
  'error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)',
  'error Refused(address account)',
]);
const errorAbi = [...federationAbi, ...federationFactoryAbi, ...tokenErrors].filter(
  ({ type }) => type === 'error',
) as Abi;

/** The custom error, with its values, that a call fails with. */
export async function expectRevert(call: Promise<unknown>, name: string, args?: readonly unknown[]): Promise<void> {
  let failure: unknown;
  try {
    await call;
  } catch (error) {
    failure = error;
  }
  expect(failure, `the call should fail with ${name}`).to.not.equal(undefined);
  const data = revertData(failure);
  expect(data, `${name} expected; revert data in: ${String(failure).slice(0, 300)}`).to.not.equal(undefined);
  const revert = decodeErrorResult({ abi: errorAbi, data: data! });
  expect(revert.errorName).to.equal(name);
  if (args !== undefined) {
    const lower = (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : value);
    expect((revert.args ?? []).map(lower)).to.deep.equal(args.map(lower));
  }
}

/** Where a node puts a revert's bytes differs: in `data`, in `data.data`, or only in the message. */
function revertData(failure: unknown): Hex | undefined {
  for (let error = failure as { cause?: unknown; data?: unknown; message?: string } | undefined; error; ) {
    const candidates = [error.data, (error.data as { data?: unknown } | undefined)?.data];
    for (const candidate of candidates) if (isHex(candidate) && candidate.length >= 10) return candidate;
    const told = /return data: (0x[0-9a-f]{8,})/.exec(error.message ?? '')?.[1];
    if (told !== undefined) return told as Hex;
    error = error.cause as typeof error;
  }
  return undefined;
}

export { zeroHash };

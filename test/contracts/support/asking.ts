/**
 * Rounds whose updates and publications are real bytes, so that a chunk of them can be asked for on the chain and
 * answered; and what asking, answering and convicting look like from outside.
 */
import { type Address, type Hex, keccak256, parseEther, type TransactionReceipt, toHex, zeroHash } from 'viem';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { concatBytes } from '../../../protocol/encoding/bytes.ts';
import { type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeModel, encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { GramLevels, packModelChunk, packTriangle, packUpdateChunk, Randomness } from './openings.ts';
import { type Parameters, type Update, World, type WorldOptions } from './world.ts';

export const Kind = { Update: 0, Model: 1, State: 2, Gram: 3 } as const;
export const Proof = { BadSum: 0, Unavailable: 7 } as const;
export const NO_PUBLICATION = {
  modelRoot: zeroHash,
  stateRoot: zeroHash,
  gramRoot: zeroHash,
  mixingHash: zeroHash,
  submissionSet: zeroHash,
  modelCid: '0x',
  evidenceCid: '0x',
} as const;
/** More than any answer costs at any base fee of these tests: everything that is sent is the bond. */
export const BOND = parseEther('0.05');
/** 40 chunks in a tree of depth 6, the last one padded; 3 spans in a Gram tree of depth 2. */
export const DIMENSION = 10_000;
/** FedAvgM, so that there is a state; NNM, so that there is a Gram matrix. */
export const realParameters: Partial<Parameters> = {
  dimension: BigInt(DIMENSION),
  normSqBound: 2n ** 64n - 1n,
  serverStep: { optimizer: 1, learningRateQ16: 65536, momentumQ16: 32768, secondMomentQ16: 0, adaptivity: 0 },
};

export type Wallet = World['wallets'][number];
export type PublicationView = Record<keyof Awaited<ReturnType<World['publication']>>, Hex>;

export interface RealUpdate extends Update {
  readonly payload: Uint8Array;
}

/** What was published, with the bytes behind it. */
export interface RealPublication {
  readonly publication: PublicationView;
  readonly model: Uint8Array;
  readonly state: Uint8Array;
  readonly gram: GramLevels;
  readonly receipt: TransactionReceipt;
}

export interface RevealedView {
  readonly index: number;
  readonly participant: Address;
  readonly root: Hex;
  readonly normSq: bigint;
  readonly cidHash: Hex;
}

export interface Question {
  readonly kind: number;
  readonly round: number;
  readonly index?: number;
  readonly chunk?: number;
  readonly reveals?: readonly RevealedView[];
  readonly publication?: object;
}

/** A federation whose people have bytes. */
export class RealWorld {
  readonly world: World;
  readonly layout: VectorLayout;

  constructor(world: World) {
    this.world = world;
    this.layout = vectorLayout(DIMENSION);
  }

  static async create(options: WorldOptions = {}): Promise<RealWorld> {
    return new RealWorld(await World.create({ ...options, parameters: { ...realParameters, ...options.parameters } }));
  }

  /** The update of a participant for a round: random coordinates. */
  update(wallet: Wallet, round: number): RealUpdate {
    const random = new Randomness(1 + round * 1000 + this.world.wallets.indexOf(wallet));
    const coordinates = Int16Array.from({ length: this.layout.dimension }, () => random.between(-900, 900));
    return this.updateOf(encodeUpdate(coordinates, this.layout), wallet, round);
  }

  /** The update with these payload bytes, whatever they are. */
  updateOf(payload: Uint8Array, wallet: Wallet, round: number): RealUpdate {
    return { ...this.world.update(wallet, round), ...commitUpdate(payload, this.layout), payload };
  }

  /** Commits and reveals of the first four; `instead` replaces somebody's update. */
  async contribute(round: number, instead: Readonly<Record<number, Update>> = {}): Promise<void> {
    const { world } = this;
    const updates = [0, 1, 2, 3].map((i) => instead[i] ?? this.update(world.participant(i), round));
    for (const [i, update] of updates.entries()) await world.commit(world.participant(i), round, update);
    for (const [i, update] of updates.entries()) await world.reveal(world.participant(i), round, update);
  }

  /** The leader publishes a model, a state and a Gram tree over random numbers of the right shapes. */
  async publish(round: number): Promise<RealPublication> {
    const { world, layout } = this;
    const random = new Randomness(7000 + round);
    const vector = () => Int32Array.from({ length: layout.dimension }, () => random.between(-(2 ** 30), 2 ** 30));
    const [weights, velocities] = [vector(), vector()];
    const { revealed, voidedBitmap } = await world.round(round);
    const n = revealed - [...voidedBitmap.toString(2)].filter((bit) => bit === '1').length;
    const spans = Array.from({ length: Math.ceil(layout.chunkCount / 16) }, () =>
      BigInt64Array.from({ length: (n * (n + 1)) / 2 }, () => BigInt(random.between(-1e9, 1e9))),
    );
    const gram = new GramLevels(spans, n);
    const publication = {
      ...(await world.publication(round, random.below(1e9))),
      modelRoot: commitModel(weights, layout),
      stateRoot: commitModel(velocities, layout),
      gramRoot: gram.root,
    };
    const receipt = await world.send(await world.leader(round), 'publishRound', [BigInt(round), publication]);
    const [model, state] = [encodeModel(weights, layout), encodeModel(velocities, layout)];
    return { publication, model, state, gram, receipt };
  }

  async play(round: number): Promise<RealPublication> {
    await this.contribute(round);
    return this.publish(round);
  }

  /** The round's reveals in their order, since the round was last opened. */
  async reveals(round: number): Promise<RevealedView[]> {
    const { world } = this;
    const reader = await world.connection.viem.getPublicClient();
    const of = async (eventName: string) =>
      (await reader.getContractEvents({
        address: world.federation,
        abi: world.abi,
        eventName,
        args: { round: BigInt(round) },
        fromBlock: 0n,
        // biome-ignore lint/suspicious/noExplicitAny: the arguments follow the event's name
      })) as any[];
    const openedIn = (await of('RoundOpened')).at(-1)?.blockNumber ?? 0n;
    const logs = (await of('UpdateRevealed')).filter(({ blockNumber }) => blockNumber >= openedIn);
    return logs.map(({ args: { index, participant, root, normSq, cid } }) => {
      return { index, participant, root, normSq, cidHash: keccak256(cid) };
    });
  }

  // ---- asking and answering

  async ask(wallet: Wallet, question: Question, bond = BOND): Promise<{ id: Hex; receipt: TransactionReceipt }> {
    const { kind, round, index = 0, chunk = 0, publication = NO_PUBLICATION } = question;
    const reveals = question.reveals ?? (kind === Kind.Update ? await this.reveals(round) : []);
    const args = [kind, BigInt(round), index, chunk, reveals, publication];
    const receipt = await this.world.send(wallet, 'challengeAvailability', args, bond);
    return { id: this.world.event(receipt, 'ChallengeOpened').id as Hex, receipt };
  }

  answer(
    wallet: Wallet,
    id: Hex,
    opening: Uint8Array,
    payee: Address = wallet.account.address,
    signature: Hex = '0x',
  ): Promise<TransactionReceipt> {
    return this.world.send(wallet, 'answerChallenges', [[{ id, payee, opening: toHex(opening), signature }]]);
  }

  settle(id: Hex): Promise<TransactionReceipt> {
    return this.world.send(this.world.wallets[9]!, 'settleChallenge', [id]);
  }

  /** Lets the answer's window pass. */
  async silence(): Promise<void> {
    await this.world.increase(100);
  }

  /** 2K bytes | path. */
  updateChunk({ payload }: RealUpdate, chunk: number): Uint8Array {
    return packUpdateChunk(payload, this.layout, chunk).slice(8);
  }

  modelChunk(payload: Uint8Array, chunk: number): Uint8Array {
    return packModelChunk(payload, this.layout, chunk);
  }

  gramSpan(gram: GramLevels, span: number): Uint8Array {
    return concatBytes(packTriangle(gram.matrices[0]![span]!), gram.path(0, span));
  }
}

/**
 * A federation whose rounds are real: updates with payloads, models that the rule makes of them. Every published number
 * can be replaced by a lie, and every proof can be made, by code that is written apart from protocol/dispute.
 */
import { type Hex, keccak256, zeroHash } from 'viem';
import { fromRule, fromServerStep } from '../../../chain/convert.ts';
import { addGramChunk, type Gram } from '../../../protocol/aggregation/gram.ts';
import { type Mixing, mixingHash } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { nearestOthers } from '../../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { needsGram, type Rule } from '../../../protocol/aggregation/rule.ts';
import { hasServerState, type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate, merkleSumKind, payloadChunks, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { concatBytes, toHex, uintBytes } from '../../../protocol/encoding/bytes.ts';
import { stateLayout, type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf, encodeModel, encodeUpdate, viewInt16 } from '../../../protocol/encoding/vectors.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import type { RoundContext } from '../../../protocol/round/roundIo.ts';
import { preAggregate } from '../../protocol/support/preAggregateRows.ts';
import {
  fullLevels,
  GramLevels,
  matrixPreimages,
  packModelChunk,
  packTriangle,
  packUpdateChunk,
  packUpdateSpan,
  Randomness,
} from './openings.ts';
import { cidOf, hash, NO_BOUND, type Parameters, World } from './world.ts';

export interface SceneOptions {
  readonly rule: Rule;
  readonly step: ServerStep;
  readonly dimension?: number;
  readonly chunkSize?: number;
  readonly participants?: number;
  readonly seed?: number;
  readonly parameters?: Partial<Parameters>;
}

/** As the contract's struct. */
export interface Revealed {
  readonly index: number;
  readonly participant: Hex;
  readonly root: Hex;
  readonly normSq: bigint;
  readonly cidHash: Hex;
}

/** What somebody revealed, and what it should have been. */
export interface Contribution {
  readonly payload: Uint8Array;
  readonly root: Hex;
  readonly normSq: bigint;
}

/** What a published round is made of; a lie replaces some of it before publication. */
export interface Published {
  model: Int32Array;
  /** In its stored form (`stateVectors` planes in every chunk). */
  state: Int32Array | null;
  spans: BigInt64Array[];
  gram: GramLevels | null;
  mixing: Mixing | null;
  roots: { modelRoot: Hex; stateRoot: Hex; gramRoot: Hex; mixingHash: Hex };
}

export interface ScenePublication {
  readonly modelRoot: Hex;
  readonly stateRoot: Hex;
  readonly gramRoot: Hex;
  readonly mixingHash: Hex;
  readonly submissionSet: Hex;
  readonly modelCid: Hex;
  readonly evidenceCid: Hex;
}

const NO_PUBLICATION: ScenePublication = {
  modelRoot: zeroHash,
  stateRoot: zeroHash,
  gramRoot: zeroHash,
  mixingHash: zeroHash,
  submissionSet: zeroHash,
  modelCid: '0x',
  evidenceCid: '0x',
};

export const mixingPreimage = (mixing: Mixing): Uint8Array =>
  concatBytes(
    Uint8Array.of(0x20),
    uintBytes(BigInt(mixing.rows), 2),
    uintBytes(BigInt(mixing.columns), 2),
    uintBytes(BigInt(mixing.denominator), 4),
    ...[...mixing.weights].map((weight) => uintBytes(BigInt(weight >>> 0), 4)),
  );

/** One round, from its reveals to what was published. */
export class PlayedRound {
  readonly scene: Scene;
  readonly number: number;
  readonly base: Int32Array;
  readonly baseState: Int32Array | null;
  readonly previous: ScenePublication;
  readonly contributions = new Map<number, Contribution>();
  readonly reveals: Revealed[] = [];
  readonly voided = new Set<number>();
  published!: Published;
  publication!: ScenePublication;

  constructor(scene: Scene, number: number, before: PlayedRound | null) {
    this.scene = scene;
    this.number = number;
    this.base = before?.published.model ?? scene.genesis;
    this.baseState = before?.published.state ?? null;
    this.previous = before?.publication ?? NO_PUBLICATION;
  }

  /** The valid updates by index. */
  get rows(): Contribution[] {
    return [...this.contributions]
      .filter(([index]) => !this.voided.has(index))
      .sort(([a], [b]) => a - b)
      .map(([, contribution]) => contribution);
  }

  /** Commits and reveals; the order of reveals is not that of indices. `change` makes a lie of a contribution. */
  async contribute(
    change: (index: number, honest: Contribution) => Contribution = (_i, honest) => honest,
  ): Promise<void> {
    const { world, participants, random, layout } = this.scene;
    for (let i = 0; i < participants; i++) {
      const payload = this.scene.payload(random);
      const contribution = change(i, { payload, ...commitUpdate(payload, layout) });
      this.contributions.set(i, contribution);
      await world.commit(world.participant(i), this.number, this.update(i));
    }
    const order = Array.from({ length: participants }, (_, i) => (i * 3 + 1) % participants);
    const distinct = new Set(order).size === participants ? order : order.map((_, i) => participants - 1 - i);
    for (const i of distinct) {
      const { root, normSq, cid } = this.update(i);
      await world.reveal(world.participant(i), this.number, this.update(i));
      const participant = world.participant(i).account.address;
      this.reveals.push({ index: i, participant, root, normSq, cidHash: keccak256(cid) });
    }
  }

  private update(i: number) {
    const { root, normSq } = this.contributions.get(i)!;
    const key = `${this.number}/${i}`;
    return { root, normSq, cid: cidOf(key), salt: hash('salt', key) };
  }

  /** What the rule may know besides the updates; the seed is fixed by the publication's own block at the latest. */
  context!: RoundContext;

  /** The honest numbers of the round. */
  compute(): Published {
    const { learning, layout, rule } = this.scene;
    const rows = this.rows.map(({ payload }) => viewInt16(payload).slice(0, layout.dimension));
    const computed = computeRound(learning, rows, this.base, { state: this.baseState, context: this.context });
    const { model, modelRoot, stateRoot, gramRoot } = computed;
    const spans = needsGram(rule) ? this.spans() : [];
    const gram = needsGram(rule) ? new GramLevels(spans, rows.length) : null;
    if (gram !== null && gram.root !== gramRoot) throw new Error('the Gram tree of the tests is not the protocol’s');
    const mixing = gram === null ? null : preAggregate(rule, sumOf(spans, rows.length), this.context);
    const roots = { modelRoot, stateRoot, gramRoot, mixingHash: mixing === null ? zeroHash : mixingHash(mixing) };
    return { model, state: computed.state, spans, gram, mixing, roots };
  }

  /** The partial Gram matrices. */
  spans(): BigInt64Array[] {
    const { layout } = this.scene;
    const rows = this.rows.map(({ payload }) => viewInt16(payload));
    return Array.from({ length: Math.ceil(layout.chunkCount / 16) }, (_, span) => {
      const matrix = new BigInt64Array((rows.length * (rows.length + 1)) / 2);
      for (let c = span * 16; c < Math.min(span * 16 + 16, layout.chunkCount); c++) {
        addGramChunk(
          matrix,
          rows.map((row) => row.subarray(c * layout.chunkSize, (c + 1) * layout.chunkSize)),
        );
      }
      return matrix;
    });
  }

  /** Publishes the honest numbers, changed by `lie`, by whoever leads. Returns the publisher. */
  async publish(lie: (honest: Published, round: PlayedRound) => void = () => undefined) {
    const { world } = this.scene;
    const leader = await world.leader(this.number);
    const { seed } = await world.round(this.number);
    const indices = [...this.contributions.keys()].filter((i) => !this.voided.has(i)).sort((a, b) => a - b);
    this.context = { indices, seed };
    this.published = this.compute();
    lie(this.published, this);
    this.publication = { ...(await world.publication(this.number)), ...this.published.roots };
    await world.send(leader, 'publishRound', [BigInt(this.number), this.publication]);
    return leader;
  }

  // ---- proofs, as the contract takes them

  /** `about` matters for a step with state only. */
  coordinateProof(coordinate: number, about: 'model' | 'state' = 'model', change: object = {}) {
    const { layout, step, rule } = this.scene;
    const chunk = Math.floor(coordinate / layout.chunkSize);
    const open = (vector: Int32Array) => toHex(packModelChunk(encodeModel(vector, layout), layout, chunk));
    const openState = (state: Int32Array) =>
      toHex(packModelChunk(bytesOf(state), stateLayout(layout, stateVectors(step)), chunk));
    const { model, state, mixing } = this.published;
    const stateful = hasServerState(step);
    const [hasModel, hasRows] = [!stateful || about === 'model', !stateful || about === 'state'];
    const rows = hasRows ? this.rows.map(({ payload }) => packUpdateChunk(payload, layout, chunk)) : [];
    return {
      round: BigInt(this.number),
      chunk,
      coordinate: coordinate % layout.chunkSize,
      publication: this.publication,
      previous: stateful && about === 'state' ? this.previous : NO_PUBLICATION,
      reveals: hasRows ? this.reveals : [],
      rows: toHex(concatBytes(...rows)),
      oldModel: hasModel ? open(this.base) : '0x',
      newModel: hasModel ? open(model) : '0x',
      oldState: about === 'model' || this.baseState === null ? '0x' : openState(this.baseState),
      newState: state === null ? '0x' : openState(state),
      mixing: hasRows && needsGram(rule) ? toHex(mixingPreimage(mixing!)) : '0x',
      ...change,
    };
  }

  gramLeafProof(span: number, first: number, second: number, change: object = {}) {
    const { layout } = this.scene;
    const rows = this.rows;
    const gram = this.published.gram!;
    const preimages = matrixPreimages(gram.matrices[0]![span]!, rows.length);
    return {
      round: BigInt(this.number),
      span,
      first,
      second,
      publication: this.publication,
      reveals: this.reveals,
      matrix: toHex(preimages.matrix),
      row: toHex(preimages.rows[first]!),
      path: toHex(gram.path(0, span)),
      firstChunks: toHex(packUpdateSpan(rows[first]!.payload, layout, span)),
      secondChunks: toHex(packUpdateSpan(rows[second]!.payload, layout, span)),
      ...change,
    };
  }

  gramNodeProof(level: number, position: number, change: object = {}) {
    const gram = this.published.gram!;
    return {
      round: BigInt(this.number),
      level,
      position,
      publication: this.publication,
      reveals: this.reveals,
      children: toHex(gram.children(level, position)),
      path: toHex(gram.path(level, position)),
      ...change,
    };
  }

  /** The right mixing matrix for the Gram matrix that was published. */
  mixingProof(change: object = {}) {
    const { rule } = this.scene;
    const gram = this.published.gram!;
    const n = this.rows.length;
    const matrix = sumOf(gram.matrices[0]!, n);
    return {
      round: BigInt(this.number),
      publication: this.publication,
      reveals: this.reveals,
      root: toHex(gram.depth === 0 ? packTriangle(gram.matrices[0]![0]!) : gram.children(gram.depth, 0)),
      mixing: toHex(mixingPreimage(preAggregate(rule, matrix, this.context))),
      nearest: rule.preAggregations[0] === 'multiKrum' ? nearestBitmaps(matrix, rule.byzantine) : [],
      ...change,
    };
  }
}

/** The root of an update's tree, whose sum is what was revealed as the norm. */
export function rootSumOpening(layout: VectorLayout, { payload, normSq }: Contribution) {
  const leaves = [...payloadChunks(payload, layout.chunkSize * 2)].map(updateLeaf);
  const [l, r] = fullLevels(merkleSumKind, layout.depth, leaves)[layout.depth - 1]!;
  const preimage = concatBytes(Uint8Array.of(1), l!.hash, uintBytes(l!.sum, 8), r!.hash, uintBytes(r!.sum, 8));
  return { level: layout.depth, position: 0, claimedSum: normSq, preimage: toHex(preimage), hash: zeroHash, path: [] };
}

/** For each row the bitmap of its n - f - 2 nearest others. */
export function nearestBitmaps(gram: Gram, f: number): bigint[] {
  return Array.from({ length: gram.n }, (_, row) =>
    nearestOthers(gram, row)
      .slice(0, gram.n - f - 2)
      .reduce((bits, j) => bits | (1n << BigInt(j)), 0n),
  );
}

function sumOf(spans: readonly BigInt64Array[], n: number): Gram {
  const values = new BigInt64Array((n * (n + 1)) / 2);
  for (const span of spans) for (let i = 0; i < values.length; i++) values[i] = values[i]! + span[i]!;
  return { n, values };
}

export class Scene {
  readonly world: World;
  readonly rule: Rule;
  readonly step: ServerStep;
  readonly layout: VectorLayout;
  readonly participants: number;
  readonly random: Randomness;
  readonly genesis: Int32Array;
  private last: PlayedRound | null = null;

  private constructor(
    world: World,
    options: SceneOptions,
    layout: VectorLayout,
    participants: number,
    genesis: Int32Array,
  ) {
    this.world = world;
    this.rule = options.rule;
    this.step = options.step;
    this.layout = layout;
    this.participants = participants;
    this.random = new Randomness(options.seed ?? 1);
    this.genesis = genesis;
  }

  static async create(options: SceneOptions): Promise<Scene> {
    const layout = vectorLayout(options.dimension ?? 16 * 40 + 5, options.chunkSize ?? 16);
    const participants = options.participants ?? 5;
    const random = new Randomness(99);
    const genesis = Int32Array.from({ length: layout.dimension }, () => random.between(-(2 ** 20), 2 ** 20));
    const { rule, step } = options;
    const parameters = {
      dimension: BigInt(layout.dimension),
      chunkSize: layout.chunkSize,
      genesisModelRoot: commitModel(genesis, layout),
      normSqBound: NO_BOUND,
      minParticipants: participants,
      minUpdates: participants - 1,
      maxParticipants: participants,
      rule: fromRule(rule),
      serverStep: fromServerStep(step),
      ...options.parameters,
    };
    const world = await World.create({ parameters, participants, aggregators: 3 });
    return new Scene(world, options, layout, participants, genesis);
  }

  get learning() {
    const { rule, step, layout } = this;
    const { dimension, chunkSize } = layout;
    return {
      dimension,
      chunkSize,
      modelFractionBits: 24,
      updateFractionBits: 16,
      normSqBound: NO_BOUND,
      rule,
      serverStep: step,
    };
  }

  payload(random: Randomness): Uint8Array {
    return encodeUpdate(
      Int16Array.from({ length: this.layout.dimension }, () => random.between(-300, 300)),
      this.layout,
    );
  }

  /** The next round, after the last one played to the end. */
  next(): PlayedRound {
    return new PlayedRound(this, (this.last?.number ?? 0) + 1, this.last);
  }

  /** An honest round, published. */
  async honestRound(): Promise<PlayedRound> {
    const round = this.next();
    await round.contribute();
    await this.play(round);
    return round;
  }

  /** Publishes the honest numbers of the round, on which the next one builds. Returns the publisher. */
  async play(round: PlayedRound) {
    const leader = await round.publish();
    this.last = round;
    return leader;
  }
}

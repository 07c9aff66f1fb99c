/** Random rounds for the tests of disputes: small, of every rule and step, honest unless a test makes one lie. */

import { mixingPreimage } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import {
  isEnforceable,
  minimumUpdates,
  needsGram,
  parseRule,
  RULE_NAMES,
  type Rule,
} from '../../../protocol/aggregation/rule.ts';
import {
  SERVER_OPTIMIZERS,
  type ServerOptimizer,
  type ServerStep,
  stateVectors,
} from '../../../protocol/aggregation/serverStep.ts';
import { gramMatrixBytes } from '../../../protocol/commitment/gramTree.ts';
import { keccak256 } from '../../../protocol/commitment/keccak.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import type { DisputedRound } from '../../../protocol/dispute/disputedRound.ts';
import { chunksOf, type ReadChunk } from '../../../protocol/dispute/trees.ts';
import { type Hex, toHex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf, encodeModel, encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { layoutOf, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { type Publication, publicationHash, submissionSet } from '../../../protocol/round/publication.ts';
import { accumulateRevealed, type RevealedUpdate, rowOrder } from '../../../protocol/round/submission.ts';
import { commitState } from './commitState.ts';

/** mulberry32: the same numbers for the same seed, anywhere. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** low <= result <= high */
  int(low: number, high: number): number {
    return low + (this.u32() % (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.int(0, 255));
  }

  hash(): Hex {
    return toHex(this.bytes(32));
  }

  shuffled<T>(values: readonly T[]): T[] {
    const result = [...values];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }

  /** Tiny values (many ties), ordinary ones, or the extremes. */
  update(d: number): Int16Array {
    const [low, high] = this.pick([
      [-2, 2],
      [-3000, 3000],
      [-32768, 32767],
    ] as const);
    return Int16Array.from({ length: d }, () => this.int(low, high));
  }

  int32s(d: number): Int32Array {
    const wide = this.int(0, 3) === 0;
    return Int32Array.from({ length: d }, () => (wide ? this.u32() | 0 : this.int(-(2 ** 24), 2 ** 24)));
  }
}

export const NUMBER = 7;

export interface DisputeWorld {
  readonly round: DisputedRound;
  readonly layout: VectorLayout;
  readonly reveals: readonly RevealedUpdate[];
  /** The valid ones by index, and their payloads. */
  readonly rows: readonly RevealedUpdate[];
  readonly payloads: readonly Uint8Array[];
  readonly base: Uint8Array;
  readonly model: Uint8Array;
  readonly oldState: Uint8Array | null;
  readonly newState: Uint8Array | null;
  readonly previous: Publication | null;
  readonly publication: Publication;
  readonly gramPayload: Uint8Array | null;
  readonly mixing: Uint8Array | null;
}

export interface WorldOptions {
  readonly rule?: string;
  readonly stateful?: boolean;
  readonly optimizer?: ServerOptimizer;
  readonly chunks?: number;
}

/** The rules that the judges know. */
export const JUDGED_RULES = [...RULE_NAMES, 'arc+trimmed-mean', 'arc+meamed', 'bucketing+median'].filter((name) =>
  isEnforceable(parseRule(name, 1)),
);
/** Those of them with a Gram matrix. */
export const JUDGED_GRAM_RULES = JUDGED_RULES.filter((name) => needsGram(parseRule(name, 1)));

export function randomRule(random: Random, name: string = random.pick(JUDGED_RULES)): Rule {
  const f = random.int(0, 2);
  return parseRule(name, f, { selected: name === 'multi-krum' ? random.pick([0, random.int(1, 3)]) : undefined });
}

/** Any step, or any of those with state. */
export function randomStep(random: Random, optimizer: ServerOptimizer): ServerStep {
  const below = (limit: number) => random.pick([0, limit - 1, random.int(0, limit - 1)]);
  const decays = optimizer === 'fedAdam' || optimizer === 'fedYogi';
  return {
    optimizer,
    learningRateQ16: random.pick([65_536, 1, 2 ** 20, random.int(1, 2 ** 20)]),
    momentumQ16: optimizer === 'fedAvg' ? 0 : below(65_536),
    secondMomentQ16: decays ? below(65_536) : 0,
    adaptivity: decays || optimizer === 'fedAdagrad' ? random.pick([1, 2 ** 32 - 1, random.int(1, 2 ** 24)]) : 0,
  };
}

/** A server state in its stored form, as any round may have left it: v below 2^62. */
export function randomState(random: Random, layout: VectorLayout, step: ServerStep): Int32Array {
  const planes = stateVectors(step);
  const state = new Int32Array(layout.chunkCount * planes * layout.chunkSize);
  const vectors = Array.from({ length: planes }, () => random.int32s(layout.dimension));
  const small = random.int(0, 1) === 0;
  for (let d = 0; d < layout.dimension; d++) {
    const k = d % layout.chunkSize;
    const start = ((d - k) / layout.chunkSize) * planes * layout.chunkSize;
    vectors.forEach((vector, plane) => {
      const high = small ? 0 : (vector[d]! >>> 2) % 2 ** 30;
      state[start + plane * layout.chunkSize + k] = plane === 2 ? high : vector[d]!;
    });
  }
  return state;
}

export function honestRound(random: Random, options: WorldOptions = {}): DisputeWorld {
  const rule = randomRule(random, options.rule);
  const stateful = options.stateful ?? random.int(0, 1) === 1;
  const withState = random.pick(SERVER_OPTIMIZERS.filter((optimizer) => optimizer !== 'fedAvg'));
  const serverStep = randomStep(random, stateful ? (options.optimizer ?? withState) : 'fedAvg');
  const chunks = options.chunks ?? random.pick([1, 2, 3, random.int(4, 16), random.int(17, 50)]);
  const modelFractionBits = random.int(16, 30);
  const parameters = {
    enforced: true,
    dimension: chunks * 16 - random.int(0, 15),
    chunkSize: 16,
    modelFractionBits,
    updateFractionBits: random.int(Math.max(1, modelFractionBits - 16), modelFractionBits),
    normSqBound: NO_NORM_BOUND,
    rule,
    serverStep,
  };
  const layout = layoutOf(parameters);
  const n = minimumUpdates(rule) + random.int(0, 3);
  const vectors = Array.from({ length: n }, () => random.update(layout.dimension));
  const indices = random.shuffled(Array.from({ length: n + 3 }, (_, i) => i)).slice(0, n + random.int(0, 2));
  const valid = indices.slice(0, n).sort((a, b) => a - b);
  const voided = indices.slice(n);
  const all = valid.map(
    (index, r): RevealedUpdate => ({
      index,
      participant: toHex(random.bytes(20)),
      ...commitUpdate(encodeUpdate(vectors[r]!, layout), layout),
      cidHash: random.hash(),
    }),
  );
  for (const index of voided) {
    const [participant, root, cidHash] = [toHex(random.bytes(20)), random.hash(), random.hash()];
    all.push({ index, participant, root, normSq: BigInt(random.u32()), cidHash });
  }
  const reveals = random.shuffled(all);
  const accumulator = reveals.reduce(accumulateRevealed, ZERO_HASH);
  const voidedBitmap = voided.reduce((bitmap, index) => bitmap | (1n << BigInt(index)), 0n);
  const base = random.int32s(layout.dimension);
  const hasOldState = stateful && random.int(0, 2) > 0;
  const oldState = hasOldState ? randomState(random, layout, serverStep) : null;
  const seed = random.hash();
  const previous: Publication | null =
    hasOldState || random.int(0, 1) === 1
      ? {
          modelRoot: commitModel(base, layout),
          stateRoot: oldState === null ? ZERO_HASH : commitState(bytesOf(oldState), layout, serverStep),
          gramRoot: random.hash(),
          mixingHash: random.hash(),
          submissionSet: random.hash(),
          modelCid: random.bytes(36),
          evidenceCid: random.bytes(36),
        }
      : null;
  const computed = computeRound(parameters, vectors, base, {
    state: oldState,
    context: { indices: valid, seed },
  });
  const publication: Publication = {
    modelRoot: computed.modelRoot,
    stateRoot: computed.stateRoot,
    gramRoot: computed.gramRoot,
    mixingHash: computed.mixingHash,
    submissionSet: submissionSet(accumulator, voidedBitmap),
    modelCid: random.bytes(36),
    evidenceCid: random.bytes(36),
  };
  return {
    round: {
      parameters,
      accumulator,
      seed,
      voidedBitmap,
      validUpdates: n,
      baseModelRoot: commitModel(base, layout),
      publicationHash: publicationHash(publication),
      previousPublicationHash:
        stateful && !hasOldState ? ZERO_HASH : previous === null ? ZERO_HASH : publicationHash(previous),
    },
    layout,
    reveals,
    rows: rowOrder(reveals, new Set(voided)),
    payloads: vectors.map((vector) => encodeUpdate(vector, layout)),
    base: encodeModel(base, layout),
    model: encodeModel(computed.model, layout),
    oldState: oldState === null ? null : bytesOf(oldState),
    newState: computed.state === null ? null : bytesOf(computed.state),
    previous: stateful && !hasOldState ? null : previous,
    publication,
    gramPayload: computed.gramPayload,
    mixing: computed.mixing === null ? null : mixingPreimage(computed.mixing),
  };
}

/** The world with another publication. */
export function republish(
  world: DisputeWorld,
  change: Partial<Publication>,
  more: Partial<DisputeWorld> = {},
): DisputeWorld {
  const publication = { ...world.publication, ...change };
  return {
    ...world,
    ...more,
    publication,
    round: { ...world.round, publicationHash: publicationHash(publication) },
  };
}

/** The world with another commitment of row `row`, whose payload stays. */
export function recommit(world: DisputeWorld, row: number, commitment: { root: Hex; normSq: bigint }): DisputeWorld {
  const accused = world.rows[row]!;
  const swap = (revealed: RevealedUpdate) =>
    revealed.index === accused.index ? { ...revealed, ...commitment } : revealed;
  const reveals = world.reveals.map(swap);
  const accumulator = reveals.reduce(accumulateRevealed, ZERO_HASH);
  const changed = { ...world, reveals, rows: world.rows.map(swap), round: { ...world.round, accumulator } };
  return republish(changed, { submissionSet: submissionSet(accumulator, world.round.voidedBitmap) });
}

export const updateChunks = (world: DisputeWorld, row: number): ReadChunk =>
  chunksOf(world.payloads[row]!, 2 * world.layout.chunkSize);
export const stateChunks = (world: DisputeWorld, payload: Uint8Array): ReadChunk =>
  chunksOf(payload, 4 * world.layout.chunkSize * stateVectors(world.round.parameters.serverStep));
export const modelChunks = (world: DisputeWorld, payload: Uint8Array): ReadChunk =>
  chunksOf(payload, 4 * world.layout.chunkSize);
export const spansOf = (world: DisputeWorld): ReadChunk =>
  chunksOf(world.gramPayload!, gramMatrixBytes(world.round.validUpdates));

/** Position of a row's reveal in the list of reveals. */
export function accusedPosition(world: DisputeWorld, row: number): number {
  return world.reveals.findIndex(({ index }) => index === world.rows[row]!.index);
}

/** What the builder of a bad coordinate reads in this world. */
export function coordinateSources(world: DisputeWorld) {
  return {
    rows: world.rows.map((_, row) => updateChunks(world, row)),
    base: modelChunks(world, world.base),
    model: modelChunks(world, world.model),
    oldState: world.oldState === null ? null : stateChunks(world, world.oldState),
    newState: world.newState === null ? null : stateChunks(world, world.newState),
    mixing: world.mixing,
  };
}

/** A hash of something, for roots that nobody can open. */
export const someRoot = (label: string): Hex => keccak256(new TextEncoder().encode(label));

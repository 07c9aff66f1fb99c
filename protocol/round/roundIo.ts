/**
 * What a round's computation asks of whoever runs it: the bytes of its vectors, by range, and a place for what comes
 * out. The aggregator answers from its payload store, an auditor from its files, a test from memory.
 */
import type { Gram } from '../aggregation/gram.ts';
import type { Mixing } from '../aggregation/preAggregation/mixing.ts';
import { type Hex, ZERO_HASH } from '../encoding/bytes.ts';
import type { RoundRoots } from './publication.ts';

/**
 * Fills `into` with the bytes of a padded vector from `byteOffset` on. The memory may be shared with threads; it must
 * not be touched after the call has returned (or its promise has settled). Ranges of one vector come one after the
 * other, ascending, once for each pass over the data, and with gaps where a pass has no use for them; different vectors
 * are asked for side by side.
 */
export type ReadRange = (byteOffset: number, into: Uint8Array) => void | Promise<void>;

/** Takes the next bytes of a result, in order. They are valid until the call has returned or its promise has settled. */
export type WriteNext = (bytes: Uint8Array) => void | Promise<void>;

/** Where in an open file a padded vector lies as it is. */
export interface FileRange {
  /** Of the process, so that its threads can read there too. Stays open until the round is computed. */
  readonly descriptor: number;
  readonly byteOffset: number;
}

export interface RoundIo {
  /** The update payloads (int16), in row order. */
  readonly rows: readonly ReadRange[];
  /**
   * Where rows lie in files, as far as they do: threads read these there, each for its own blocks, where `rows` would be
   * asked in the thread that also writes. Only speed depends on it.
   */
  readonly rowFiles?: readonly (FileRange | null)[];
  /** The base model (int32). */
  readonly model: ReadRange;
  /** The server state before the round (int32), null where it is zero: before the first round or without a state. */
  readonly state: ReadRange | null;
  /** The model before the base model, for a rule with a history row; null where there is none: in the first round. */
  readonly previousModel: ReadRange | null;
  readonly writeModel?: WriteNext;
  readonly writeState?: WriteNext;
  /** The Gram payload: the spans' matrices. Nothing is written for a rule without a Gram matrix. */
  readonly writeGram?: WriteNext;
}

/** What a rule may depend on besides the numbers. */
export interface RoundContext {
  /** The participant index of every row, ascending. */
  readonly indices: readonly number[];
  /** The seed that the contract fixed for the round. */
  readonly seed: Hex;
}

/** The context of n updates of participants 0 to n - 1 and a seed of zeros: for tests and simulations. */
export function plainContext(n: number): RoundContext {
  return { indices: Array.from({ length: n }, (_, i) => i), seed: ZERO_HASH };
}

export interface RoundOptions {
  /** Also compute the commitment of every update, in the same pass over its bytes. */
  readonly commitUpdates?: boolean;
  /** Mix by this matrix, whatever the rule would have chosen: what a model should be, judged by a published W. */
  readonly mixing?: Mixing;
  /** Chunks a block, a power of two of at least GRAM_SPAN; default: what fits the processor's cache. */
  readonly blockChunks?: number;
}

/** What the bytes of an update commit to. */
export interface UpdateFacts {
  readonly root: Hex;
  readonly normSq: bigint;
  /** Whether the coordinates beyond the last one are zero, as they must be. */
  readonly zeroPadded: boolean;
}

export interface RoundResult {
  readonly roots: RoundRoots;
  /** Null for a rule without a Gram matrix, and where `mixing` was given. */
  readonly gram: Gram | null;
  /** Null for a rule without one. */
  readonly mixing: Mixing | null;
  /** Per combined row, the counted coordinates at which it was trimmed (aggregation/trimming.ts); null where none is. */
  readonly trimmed: readonly number[] | null;
  /** In row order; null unless `commitUpdates`. */
  readonly updates: readonly UpdateFacts[] | null;
}

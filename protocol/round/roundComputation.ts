/**
 * One round's numbers, chunk by chunk: the same state machine drives the aggregator that publishes and the auditor that
 * replays, each with its own reading and writing. Memory is n chunks, whatever the model's size.
 *
 *     for each chunk:  addGramChunk(rows)                      only when `needsGramPass`
 *     for each chunk:  combineChunk(rows, model, state)        the next model and server state, in place
 *     finish()                                                 the roots to publish or to compare
 *
 * `rows` are the n updates, and after them the history row (`historyChunk`) when the rule uses it.
 */

import { combineChunk, combineDenominator } from '../aggregation/combine/combineChunk.ts';
import { addGramChunk, type Gram } from '../aggregation/gram.ts';
import { type CombinedRow, type Mixing, mixChunk, mixingHash } from '../aggregation/preAggregation/mixing.ts';
import { preAggregate, type SignCounts } from '../aggregation/preAggregation/preAggregate.ts';
import { checkRowCount, needsGram, needsSigns, ruleName, usesHistory } from '../aggregation/rule.ts';
import { stateVectors, stepChunk } from '../aggregation/serverStep.ts';
import { encodeGramMatrix, GRAM_SPAN, GramCommitter } from '../commitment/gramTree.ts';
import { ModelCommitter } from '../commitment/merkle.ts';
import { type Hex, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { AssayError } from '../errors.ts';
import { type LearningParameters, layoutOf } from './parameters.ts';
import type { RoundRoots } from './publication.ts';
import type { RoundContext } from './roundIo.ts';

/** The context of n updates of participants 0 to n - 1 and a seed of zeros: for tests and simulations. */
export function plainContext(n: number): RoundContext {
  return { indices: Array.from({ length: n }, (_, i) => i), seed: ZERO_HASH };
}

export class RoundComputation {
  readonly layout: VectorLayout;
  /** Whether every chunk must pass through `addGramChunk` before the first `combineChunk`. */
  readonly needsGramPass: boolean;
  private readonly parameters: LearningParameters;
  private readonly context: RoundContext;
  /** Updates, and one more with the history row. */
  private readonly rowCount: number;
  private readonly signs: { positive: number; negative: number }[] | null;
  private readonly onGramSpan: (matrix: Uint8Array) => void;
  private readonly gramCommitter: GramCommitter;
  private readonly span: BigInt64Array;
  private chunksInSpan = 0;
  private gramChunks = 0;
  private combinedChunks = 0;
  private gramRoot: Hex = ZERO_HASH;
  private fixedGram: Gram | null = null;
  private fixedMixing: Mixing | null = null;
  private readonly modelCommitter: ModelCommitter;
  private readonly stateCommitter: ModelCommitter | null;

  /**
   * `onGramSpan` is given the Gram payload piece by piece, in order: what the aggregator stores so that its Gram tree
   * can be opened (`gramCid` of the evidence).
   * @throws AssayError `TOO_FEW_UPDATES` when the rule is not defined for that many updates.
   */
  constructor(
    parameters: LearningParameters,
    context: RoundContext,
    onGramSpan: (matrix: Uint8Array) => void = () => {},
  ) {
    const n = context.indices.length;
    checkRowCount(parameters.rule, n);
    this.parameters = parameters;
    this.context = context;
    this.rowCount = n + (usesHistory(parameters.rule) ? 1 : 0);
    this.signs = needsSigns(parameters.rule) ? context.indices.map(() => ({ positive: 0, negative: 0 })) : null;
    this.layout = layoutOf(parameters);
    this.needsGramPass = needsGram(parameters.rule);
    this.onGramSpan = onGramSpan;
    this.gramCommitter = new GramCommitter(this.rowCount, this.layout.chunkCount);
    this.span = new BigInt64Array((this.rowCount * (this.rowCount + 1)) / 2);
    this.modelCommitter = new ModelCommitter(this.layout);
    this.stateCommitter = stateVectors(parameters.serverStep) > 0 ? new ModelCommitter(this.layout) : null;
  }

  /** First pass: the inner products of the next chunk. Shape of `rows`: n x K, n + 1 with the history row. */
  addGramChunk(rows: readonly Int16Array[]): void {
    this.checkRows(rows);
    this.signs?.forEach((counts, i) => {
      for (const q of rows[i]!) {
        if (q > 0) counts.positive++;
        else if (q < 0) counts.negative++;
      }
    });
    addGramChunk(this.span, rows);
    this.gramChunks++;
    if (++this.chunksInSpan === GRAM_SPAN) this.closeSpan();
  }

  /**
   * Second pass: replaces `model` [K] and `state` [stateVectors * K] (null exactly for a stateless step) by their next
   * values. `rows` as in the first. Returns the rows as they were combined, after mixing: what statistics are made from.
   */
  combineChunk(rows: readonly Int16Array[], model: Int32Array, state: Int32Array | null): readonly CombinedRow[] {
    this.checkRows(rows);
    this.checkModel(model, state);
    const { rule, serverStep } = this.parameters;
    const mixing = this.needsGramPass ? this.mixing() : null;
    const mixed = mixing === null ? rows : mixChunk(mixing, rows);
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const denominator = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
    stepChunk(serverStep, model, state, numerators, denominator, this.parameters);
    this.modelCommitter.append(model);
    if (state !== null) this.stateCommitter?.append(state);
    this.combinedChunks++;
    return mixed;
  }

  /** The Gram matrix; after the first pass. */
  gram(): Gram {
    this.fixMixing();
    return this.fixedGram!;
  }

  /** The mixing matrix; after the first pass. */
  mixing(): Mixing {
    this.fixMixing();
    return this.fixedMixing!;
  }

  /** The roots of the round, once every chunk has been combined. */
  finish(): RoundRoots {
    this.checkComplete(this.combinedChunks, 'combined');
    return {
      modelRoot: this.modelCommitter.finish(),
      stateRoot: this.stateCommitter?.finish() ?? ZERO_HASH,
      gramRoot: this.gramRoot,
      mixingHash: this.needsGramPass ? mixingHash(this.mixing()) : ZERO_HASH,
    };
  }

  private fixMixing(): void {
    if (this.fixedMixing !== null) return;
    if (!this.needsGramPass) {
      throw new AssayError('NO_GRAM', {
        summary: 'this rule has no Gram and no mixing matrix',
        expected: 'a rule with a pre-aggregation (see needsGramPass)',
        received: ruleName(this.parameters.rule),
      });
    }
    this.checkComplete(this.gramChunks, 'added to the Gram matrix');
    if (this.chunksInSpan > 0) this.closeSpan();
    const { gramRoot, matrix } = this.gramCommitter.finish();
    this.gramRoot = gramRoot;
    this.fixedGram = { n: this.rowCount, values: matrix };
    this.fixedMixing = preAggregate(this.parameters.rule, this.fixedGram, {
      ...this.context,
      signs: this.signCounts(),
      dimension: this.parameters.dimension,
    });
  }

  private signCounts(): SignCounts[] | null {
    const { dimension } = this.parameters; // padding is zero and no coordinate
    return this.signs?.map((counts) => ({ ...counts, zero: dimension - counts.positive - counts.negative })) ?? null;
  }

  private closeSpan(): void {
    this.gramCommitter.appendSpan(this.span);
    this.onGramSpan(encodeGramMatrix(this.span));
    this.span.fill(0n);
    this.chunksInSpan = 0;
  }

  private checkRows(rows: readonly Int16Array[]): void {
    if (rows.length !== this.rowCount || rows.some((row) => row.length !== this.layout.chunkSize)) {
      throw new AssayError('CHUNK_SHAPE', {
        summary: 'a chunk has the wrong shape',
        expected: `${this.rowCount} rows of ${this.layout.chunkSize} coordinates${usesHistory(this.parameters.rule) ? ', the last one the history row' : ''}`,
        received: `${rows.length} rows of ${[...new Set(rows.map((row) => row.length))].join(', ')}`,
      });
    }
  }

  private checkModel(model: Int32Array, state: Int32Array | null): void {
    const { chunkSize } = this.layout;
    const { optimizer } = this.parameters.serverStep;
    const planes = stateVectors(this.parameters.serverStep);
    const stateOk = planes > 0 ? state?.length === planes * chunkSize : state === null;
    if (model.length === chunkSize && stateOk) return;
    throw new AssayError('CHUNK_SHAPE', {
      summary: 'a chunk of the model or of the server state has the wrong shape',
      expected: `${chunkSize} model coordinates and ${planes > 0 ? `${planes * chunkSize} of state` : 'no state'}`,
      received: `${model.length} and ${state === null ? 'no state' : state.length}`,
      fix: `${optimizer} ${planes > 0 ? 'starts round 1 from a state of zeros' : 'keeps no state'}`,
    });
  }

  private checkComplete(chunks: number, what: string): void {
    if (chunks !== this.layout.chunkCount) {
      throw new AssayError('CHUNK_COUNT', {
        summary: `not every chunk has been ${what}`,
        expected: `${this.layout.chunkCount} chunks`,
        received: String(chunks),
      });
    }
  }
}

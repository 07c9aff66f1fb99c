/**
 * One round's numbers, chunk by chunk: the same state machine drives the aggregator that publishes and the auditor that
 * replays, each with its own reading and writing. Memory is n chunks, whatever the model's size.
 *
 *     for each chunk:  addGramChunk(rows)                      only when `needsGramPass`
 *     for each chunk:  combineChunk(rows, model, velocity)     the next model and velocity, in place
 *     finish()                                                 the roots to publish or to compare
 */

import { combineChunk, combineDenominator } from '../aggregation/combine/combineChunk.ts';
import { addGramChunk, type Gram, type InnerProducts } from '../aggregation/gram.ts';
import { type Mixing, mixChunk, mixingHash } from '../aggregation/preAggregation/mixing.ts';
import { multiKrum } from '../aggregation/preAggregation/multiKrum.ts';
import { nearestNeighborMixing } from '../aggregation/preAggregation/nearestNeighborMixing.ts';
import { checkRowCount, needsGram, type Rule, ruleName } from '../aggregation/rule.ts';
import { hasServerState, stepChunk } from '../aggregation/serverStep.ts';
import { encodeGramMatrix, GRAM_SPAN, GramCommitter } from '../commitment/gramTree.ts';
import { ModelCommitter } from '../commitment/merkle.ts';
import { type Hex, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { AssayError } from '../errors.ts';
import { fractionShift, type LearningParameters, layoutOf } from './parameters.ts';
import type { RoundRoots } from './publication.ts';

export class RoundComputation {
  readonly layout: VectorLayout;
  /** Whether every chunk must pass through `addGramChunk` before the first `combineChunk`. */
  readonly needsGramPass: boolean;
  private readonly parameters: LearningParameters;
  private readonly n: number;
  private readonly shift: number;
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
   * @throws AssayError `TOO_FEW_UPDATES` when the rule is not defined for n rows.
   */
  constructor(parameters: LearningParameters, n: number, onGramSpan: (matrix: Uint8Array) => void = () => {}) {
    checkRowCount(parameters.rule, n);
    this.parameters = parameters;
    this.n = n;
    this.layout = layoutOf(parameters);
    this.shift = fractionShift(parameters);
    this.needsGramPass = needsGram(parameters.rule);
    this.onGramSpan = onGramSpan;
    this.gramCommitter = new GramCommitter(n, this.layout.chunkCount);
    this.span = new BigInt64Array((n * (n + 1)) / 2);
    this.modelCommitter = new ModelCommitter(this.layout);
    this.stateCommitter = hasServerState(parameters.serverStep) ? new ModelCommitter(this.layout) : null;
  }

  /** First pass: the inner products of the next chunk. Shape of `rows`: n x K. */
  addGramChunk(rows: readonly Int16Array[]): void {
    this.checkRows(rows);
    addGramChunk(this.span, rows);
    this.gramChunks++;
    if (++this.chunksInSpan === GRAM_SPAN) this.closeSpan();
  }

  /**
   * Second pass: replaces `model` (and `velocity`, null exactly for a stateless step) by its next value. Shape of
   * `rows`: n x K, of the others [K]. Returns the rows as they were combined, after mixing: what statistics are made
   * from.
   */
  combineChunk(
    rows: readonly Int16Array[],
    model: Int32Array,
    velocity: Int32Array | null,
  ): readonly (Int16Array | Int32Array)[] {
    this.checkRows(rows);
    this.checkModel(model, velocity);
    const { rule, serverStep } = this.parameters;
    const mixing = this.needsGramPass ? this.mixing() : null;
    const mixed = mixing === null ? rows : mixChunk(mixing, rows);
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const denominator = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
    stepChunk(serverStep, model, velocity, numerators, denominator, this.shift);
    this.modelCommitter.append(model);
    if (velocity !== null) this.stateCommitter?.append(velocity);
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
    this.fixedGram = { n: this.n, values: matrix };
    this.fixedMixing = preAggregate(this.parameters.rule, this.fixedGram);
  }

  private closeSpan(): void {
    this.gramCommitter.appendSpan(this.span);
    this.onGramSpan(encodeGramMatrix(this.span));
    this.span.fill(0n);
    this.chunksInSpan = 0;
  }

  private checkRows(rows: readonly Int16Array[]): void {
    if (rows.length !== this.n || rows.some((row) => row.length !== this.layout.chunkSize)) {
      throw new AssayError('CHUNK_SHAPE', {
        summary: 'a chunk has the wrong shape',
        expected: `${this.n} rows of ${this.layout.chunkSize} coordinates`,
        received: `${rows.length} rows of ${[...new Set(rows.map((row) => row.length))].join(', ')}`,
      });
    }
  }

  private checkModel(model: Int32Array, velocity: Int32Array | null): void {
    const { chunkSize } = this.layout;
    const hasState = this.stateCommitter !== null;
    const velocityOk = hasState ? velocity?.length === chunkSize : velocity === null;
    if (model.length === chunkSize && velocityOk) return;
    throw new AssayError('CHUNK_SHAPE', {
      summary: 'a chunk of the model or of the server state has the wrong shape',
      expected: `${chunkSize} model coordinates and ${hasState ? `${chunkSize} of velocity` : 'no velocity'}`,
      received: `${model.length} and ${velocity === null ? 'no velocity' : velocity.length}`,
      fix: `${this.parameters.serverStep.optimizer} ${hasState ? 'starts round 1 from a velocity of zeros' : 'keeps no state'}`,
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

/** W = pre(G). */
export function preAggregate(rule: Rule, gram: InnerProducts): Mixing {
  return rule.preAggregation === 'multiKrum'
    ? multiKrum(gram, rule.byzantine, rule.selected)
    : nearestNeighborMixing(gram, rule.byzantine);
}

/**
 * The reference: plain TypeScript, chunk by chunk, one thread. Slow, and what every other engine is held to.
 */
import { combineChunk, ruleDenominator } from '../../aggregation/combine/combineChunk.ts';
import { addGramChunk } from '../../aggregation/gram.ts';
import { type Mixing, mixChunk } from '../../aggregation/preAggregation/mixing.ts';
import { stepChunk } from '../../aggregation/serverStep.ts';
import { countTrimmed, trimSampleStride } from '../../aggregation/trimming.ts';
import { GRAM_SPAN, gramSpan } from '../../commitment/gramTree.ts';
import { merkleKind, modelLeaf } from '../../commitment/merkle.ts';
import { merkleSumKind, type SumNode, updateLeaf } from '../../commitment/merkleSum.ts';
import { concatBytes } from '../../encoding/bytes.ts';
import { bytesOf } from '../../encoding/vectors.ts';
import { subtreeRoot } from '../blockLayout.ts';
import type {
  BlockAnalysis,
  BlockBuffers,
  BlockComputer,
  BlockWants,
  CombinedBlock,
  CombineWants,
  RoundEngine,
  RoundShape,
} from './roundEngine.ts';

export const referenceEngine: RoundEngine = {
  name: 'reference',
  hasher: null,
  threads: 1,
  open: (shape) => new ReferenceComputer(shape),
  close: async () => undefined,
};

class ReferenceComputer implements BlockComputer {
  readonly slots: readonly BlockBuffers[];
  readonly hasThreads = false;
  private readonly shape: RoundShape;
  private mixing: Mixing | null = null;

  constructor(shape: RoundShape) {
    const coordinates = shape.blocks.chunks * shape.blocks.layout.chunkSize;
    this.shape = shape;
    this.slots = Array.from({ length: 2 }, () => ({
      rows: Array.from({ length: shape.rows }, () => new Int16Array(coordinates)),
      model: new Int32Array(coordinates),
      state: new Int32Array(coordinates * shape.statePlanes),
    }));
  }

  analyse(slot: number, chunks: number, wants: BlockWants): BlockAnalysis {
    return analyseBlock(this.shape, this.slots[slot]!, chunks, wants);
  }

  mixBy(mixing: Mixing | null): void {
    this.mixing = mixing;
  }

  rowsOf(): null {
    return null;
  }

  combine(slot: number, chunks: number, wants: CombineWants): CombinedBlock {
    return combineBlock(this.shape, this.mixing, this.slots[slot]!, chunks, wants);
  }

  release(): void {}
}

/** What `BlockComputer.analyse` says of the vectors in `buffers`. */
function analyseBlock(shape: RoundShape, buffers: BlockBuffers, chunks: number, wants: BlockWants): BlockAnalysis {
  const { rows } = shape;
  const spans: BigInt64Array[] = [];
  for (let chunk = 0; wants.gram && chunk < chunks; chunk++) {
    if (chunk % GRAM_SPAN === 0) spans.push(new BigInt64Array((rows * (rows + 1)) / 2));
    addGramChunk(spans.at(-1)!, rowsOf(shape, buffers, chunk));
  }
  const signs = wants.signs ? buffers.rows.slice(0, shape.updates).map((row) => countSigns(shape, row, chunks)) : [];
  const leaves = spans.map((span) => gramSpan(span, rows));
  const payload = concatBytes(...leaves.map(({ bytes }) => bytes));
  const gram = wants.gram ? { payload, roots: leaves.map(({ node }) => node), level: 0 } : null;
  return { gram, commitments: wants.commitments ? commitRows(shape, buffers, chunks) : [], signs };
}

/** What `BlockComputer.combine` does to the vectors in `buffers`. */
function combineBlock(
  shape: RoundShape,
  mixing: Mixing | null,
  buffers: BlockBuffers,
  chunks: number,
  { commitments, firstChunk }: CombineWants,
): CombinedBlock {
  const { parameters, blocks, statePlanes } = shape;
  const { rule, serverStep } = parameters;
  const { chunkSize, chunkCount } = blocks.layout;
  const stride = rule.combine === 'trimmedMean' ? trimSampleStride(chunkCount) : Number.POSITIVE_INFINITY;
  const trimmed = Array.from({ length: mixing?.rows ?? shape.rows }, () => 0);
  const models: Uint8Array[] = [];
  const states: Uint8Array[] = [];
  for (let chunk = 0; chunk < chunks; chunk++) {
    const rows = rowsOf(shape, buffers, chunk);
    const mixed = mixing === null ? rows : mixChunk(mixing, rows);
    if ((firstChunk + chunk) % stride === 0) countTrimmed(trimmed, mixed, rule.byzantine);
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const denominator = ruleDenominator(rule, rows.length, mixing);
    const model = buffers.model.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
    const state = buffers.state.subarray(chunk * chunkSize * statePlanes, (chunk + 1) * chunkSize * statePlanes);
    stepChunk(serverStep, model, statePlanes === 0 ? null : state, numerators, denominator, parameters);
    models.push(modelLeaf(bytesOf(model)));
    if (statePlanes > 0) states.push(modelLeaf(bytesOf(state)));
  }
  return {
    model: subtreeRoot(merkleKind, blocks.depth, models),
    state: statePlanes === 0 ? null : subtreeRoot(merkleKind, blocks.depth, states),
    commitments: commitments ? commitRows(shape, buffers, chunks) : [],
    trimmed,
  };
}

function rowsOf({ blocks }: RoundShape, { rows }: BlockBuffers, chunk: number): Int16Array[] {
  const { chunkSize } = blocks.layout;
  return rows.map((row) => row.subarray(chunk * chunkSize, (chunk + 1) * chunkSize));
}

function countSigns({ blocks }: RoundShape, row: Int16Array, chunks: number): BlockAnalysis['signs'][number] {
  let [positive, negative] = [0, 0];
  for (let k = 0; k < chunks * blocks.layout.chunkSize; k++) {
    if (row[k]! > 0) positive++;
    else if (row[k]! < 0) negative++;
  }
  return { positive, negative };
}

function commitRows({ blocks, updates }: RoundShape, { rows }: BlockBuffers, chunks: number): SumNode[] {
  const { layout, depth } = blocks;
  return rows.slice(0, updates).map((row) => {
    const leaves = Array.from({ length: chunks }, (_, chunk) =>
      updateLeaf(bytesOf(row.subarray(chunk * layout.chunkSize, (chunk + 1) * layout.chunkSize))),
    );
    return subtreeRoot(merkleSumKind, depth, leaves);
  });
}

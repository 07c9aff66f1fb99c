/**
 * Which rows of a block the second pass reads. A mean reads those that weigh something; one of most of the rows, where
 * the first pass has left the sum of all, only the others (protocol/kernels/rowTotals.ts). Whoever reads and whoever
 * computes decide alike: both look at the bounds that the first pass left.
 */
import { ruleDenominator } from '../../aggregation/combine/combineChunk.ts';
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import type { Rule } from '../../aggregation/rule.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import { placeTotals, RowTotals, type Selection, selectionOf, type TotalsPlace } from '../../kernels/rowTotals.ts';
import { type Int16Quotient, serverStepKernel } from '../../kernels/serverStep.ts';
import type { RoundShape } from './roundEngine.ts';

/** Of the sums of all rows: those of the first 16 million coordinates. Memory does not grow with the model. */
const TOTALS_BYTES = 2 ** 25;
/** Stages that take n - f rows as they are. */
const SELECTING: ReadonlySet<string> = new Set(['multiKrum', 'minimumDiameter', 'monna']);

/** Room for the totals of a round, null where its second pass would not use them. */
export function placeRoundTotals(kernels: Kernels, shape: RoundShape): TotalsPlace | null {
  const { rows, blocks, parameters, isAnalysed } = shape;
  const kept = selectedRows(parameters.rule, rows);
  if (!isAnalysed || 2 * kept <= rows + 1 || moveOf(kernels, shape, kept) === null) return null;
  const length = blocks.chunks * blocks.layout.chunkSize;
  return placeTotals(kernels, rows, length, Math.min(blocks.count, Math.floor(TOTALS_BYTES / (2 * length))));
}

/** How many rows the rule's mean will be of, each weighing the same as any other; 0: another kind of rule. */
export function selectedRows({ preAggregations, combine, byzantine, selected }: Rule, n: number): number {
  if (combine !== 'mean' || preAggregations.length !== 1 || !SELECTING.has(preAggregations[0]!)) return 0;
  return selected === 0 ? n - byzantine : selected;
}

/** How a sum of so many rows moves the model. */
function moveOf(kernels: Kernels, { parameters }: RoundShape, denominator: number): Int16Quotient | null {
  return serverStepKernel(kernels, { ...parameters.serverStep, ...parameters }).plainMoveOfInt16(denominator);
}

export class SecondPass {
  readonly totals: RowTotals | null;
  private readonly kernels: Kernels;
  private readonly shape: RoundShape;
  private weights: readonly number[] = [];
  private selection: Selection | null = null;

  constructor(kernels: Kernels, shape: RoundShape, totals: TotalsPlace | null) {
    this.kernels = kernels;
    this.shape = shape;
    this.totals = totals && new RowTotals(kernels, shape.rows, totals);
  }

  /** Gives the rows that are taken where blocks may be moved by their totals, and how; else null. */
  mixBy(mixing: Mixing | null): { readonly selection: Selection; readonly by: Int16Quotient } | null {
    const { rule } = this.shape.parameters;
    this.weights = rule.combine === 'mean' ? columnSums(mixing, this.shape.rows) : [];
    this.selection = null;
    if (this.totals === null || rule.combine !== 'mean') return null;
    const selection = selectionOf(this.weights);
    const by = moveOf(this.kernels, this.shape, ruleDenominator(rule, this.shape.rows, mixing));
    if (selection === null || by === null) return null;
    this.selection = selection;
    return { selection, by };
  }

  /** Whether a block is moved by its totals. */
  usesTotals(block: number): boolean {
    return this.selection !== null && this.totals!.holds(block, this.selection.kept);
  }

  /** See `BlockComputer.rowsOf`. */
  rowsOf(block: number): readonly boolean[] | null {
    if (this.weights.length === 0) return null;
    const usesTotals = this.usesTotals(block);
    return this.weights.map((weight) => (weight === 0) === usesTotals);
  }
}

/** What each row weighs in the mean of the mixed rows. */
export function columnSums(mixing: Mixing | null, n: number): number[] {
  if (mixing === null) return Array.from({ length: n }, () => 1);
  const { rows, columns, weights } = mixing;
  return Array.from({ length: columns }, (_, i) => {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += weights[r * columns + i]!;
    return sum;
  });
}

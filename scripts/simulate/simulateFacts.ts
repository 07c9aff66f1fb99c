/** The simulation's `--json`: its schema (docs/spec/facts.md). */
import { z } from 'zod';
import { finiteOrNull } from '../../client/training/measure.ts';
import type { ResultTable } from './tables.ts';

export const simulateFactsSchema = z.strictObject({
  command: z.literal('simulate'),
  grid: z.string(),
  folder: z.string(),
  cells: z.int(),
  /** Cells of them that this process computed; the others were in the folder. */
  computed: z.int(),
  seconds: z.number(),
  /** Mean over the seeds. */
  results: z.array(
    z.strictObject({
      alpha: z.union([z.number(), z.enum(['iid', 'natural'])]),
      rule: z.string(),
      attack: z.string(),
      /** What the task is judged by, and the last model's value; null when its loss is no number. */
      measure: z.enum(['accuracy', 'perplexity', 'ELBO']),
      value: z.number().nullable(),
      /** Share of right classes, next tokens or pixels. */
      accuracy: z.number(),
      backdoorSuccess: z.number().nullable(),
      leftOut: z.number(),
      mostLeftOut: z.number(),
      leastShare: z.number(),
      /** Mean of the measure on what participants hold out of their own, by model; empty without any. */
      own: z.record(z.string(), z.number().nullable()),
    }),
  ),
  files: z.record(z.string(), z.string()),
});

export type SimulateFacts = z.infer<typeof simulateFactsSchema>;

export function resultFacts(tables: readonly ResultTable[]): SimulateFacts['results'] {
  return tables.flatMap(({ measure, alpha, rows }) =>
    rows.flatMap(({ rule, entries }) =>
      entries.map(({ attack, value, accuracy, backdoorSuccess, leftOut, mostLeftOut, leastShare, own }) => ({
        alpha,
        rule,
        attack: attack ?? 'none',
        measure: measure.name,
        value: finiteOrNull(value),
        accuracy,
        backdoorSuccess,
        leftOut,
        mostLeftOut,
        leastShare,
        own: Object.fromEntries([...own].map(([model, { mean }]) => [model, finiteOrNull(mean)])),
      })),
    ),
  );
}

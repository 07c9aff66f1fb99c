/** The simulation's `--json`: its schema (docs/spec/facts.md). */
import { z } from 'zod';
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
      alpha: z.union([z.number(), z.literal('iid')]),
      rule: z.string(),
      attack: z.string(),
      accuracy: z.number(),
      backdoorSuccess: z.number().nullable(),
      leftOut: z.number(),
      mostLeftOut: z.number(),
      leastShare: z.number(),
      /** Mean accuracy on participants' own held-out samples, by model; empty without any. */
      own: z.record(z.string(), z.number()),
    }),
  ),
  files: z.record(z.string(), z.string()),
});

export type SimulateFacts = z.infer<typeof simulateFactsSchema>;

export function resultFacts(tables: readonly ResultTable[]): SimulateFacts['results'] {
  return tables.flatMap(({ alpha, rows }) =>
    rows.flatMap(({ rule, entries }) =>
      entries.map(({ attack, accuracy, backdoorSuccess, leftOut, mostLeftOut, leastShare, own }) => ({
        alpha,
        rule,
        attack: attack ?? 'none',
        accuracy,
        backdoorSuccess,
        leftOut,
        mostLeftOut,
        leastShare,
        own: Object.fromEntries([...own].map(([model, { mean }]) => [model, mean])),
      })),
    ),
  );
}

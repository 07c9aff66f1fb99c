/**
 * A grid of experiments: every rule against every attack for every heterogeneity and seed, read from one JSON file and
 * checked here, once.
 */
import { z } from 'zod';
import { AssayError } from '../../protocol/errors.ts';
import { parseAttack } from '../attacks/registry.ts';
import { algorithmChoiceSchema } from '../training/algorithms/algorithmChoice.ts';
import { type Cell, commonShape, ruleSchema } from './cell.ts';
import { checkCell } from './cellParameters.ts';
import { isTextDataset, TEXT_MODEL } from './modelChoice.ts';

export const GRID_FORMAT = 'assay-grid/1';
const alphaSchema = z.union([z.literal('iid'), z.literal('natural'), z.number().positive()]);
/** 1 in a grid is what `--seed 1` is on the command line. */
const seedSchema = z.union([z.string(), z.int()]).transform(String);
const gridSchema = z.strictObject({
  format: z.literal(GRID_FORMAT),
  name: z.string().min(1),
  ...commonShape,
  rules: z.array(z.union([z.string(), ruleSchema])).min(1),
  /** Default: fedavg. */
  algorithms: z.array(algorithmChoiceSchema).min(1).optional(),
  /** Names of attacks, or `none`. */
  attacks: z.array(z.string()).min(1).default(['none']),
  /** Dirichlet concentrations of the label skew, or `iid`; of text concentrations of packages, or `natural`. */
  alphas: z.array(alphaSchema).min(1),
  seeds: z.array(seedSchema).min(1),
});

export type Grid = Readonly<z.output<typeof gridSchema>>;
/**
 * A grid file's content.
 * @throws AssayError `GRID` naming the first field that is wrong, and what the parsers of rules, attacks and data throw.
 */
export function parseGrid(text: string, source: string): Grid {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new AssayError('GRID', {
      summary: `the grid ${source} is not JSON`,
      expected: `an object with "format": "${GRID_FORMAT}"`,
      received: cause instanceof Error ? cause.message : String(cause),
      fix: 'see docs/simulate.md for an example',
      cause,
    });
  }
  return checkGrid(document, source);
}

/** A parsed document as a grid. @throws AssayError as `parseGrid` does */
export function checkGrid(document: unknown, source: string): Grid {
  const parsed = gridSchema.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new AssayError('GRID', {
      summary: `the grid ${source} is wrong at ${issue.path.join('.') || 'its top level'}`,
      expected: expectation(issue),
      received: show(valueAt(document, issue.path)),
      fix: 'see docs/simulate.md for an example',
    });
  }
  const grid = isTextDataset(parsed.data.dataset) ? withTextDefaults(parsed.data) : parsed.data;
  for (const cell of cellsOf(grid)) checkCell(cell, source);
  return grid;
}

/** What a grid of text leaves open, written out: its cells are known by it. */
function withTextDefaults(grid: Grid): Grid {
  const { model = TEXT_MODEL, tokenizer = commonShape.tokenizer.unwrap().parse({}) } = grid;
  return { ...grid, model, tokenizer };
}

/** Every run of the grid, seeds innermost. */
export function cellsOf(grid: Grid): Cell[] {
  const { format: _format, name: _name, rules, algorithms = [undefined], attacks, alphas, seeds, ...common } = grid;
  const cells: Cell[] = [];
  for (const alpha of alphas) {
    for (const rule of rules) {
      for (const algorithm of algorithms) {
        for (const attack of attacks) {
          for (const seed of seeds) {
            cells.push({
              ...common,
              alpha,
              rule: typeof rule === 'string' ? { name: rule } : rule,
              ...(algorithm && { algorithm }),
              attack: attack === 'none' ? null : parseAttack(attack).name,
              seed,
            });
          }
        }
      }
    }
  }
  return cells;
}

/** What the check of a field wanted, without zod's own opening and what came, which is said after it. */
function expectation({ code, message }: z.core.$ZodIssue): string {
  if (code === 'invalid_union') return 'one of the forms that docs/simulate.md gives';
  if (code === 'unrecognized_keys') return `only the fields of a grid; ${message}`;
  return message
    .replace(/^(Invalid input|Invalid option|Too small|Too big): (expected )?/, '')
    .replace(/, received .*$/, '');
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    document,
  );
}

/** JSON, but for the numbers that it does not know; whole documents are cut. */
function show(value: unknown): string {
  const text = (typeof value === 'number' ? String(value) : JSON.stringify(value)) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)} ..` : text;
}

/**
 * Several ways to do the same, measured in turns: a machine that is busy for a while slows all of them, so ratios hold
 * where absolute times do not. Medians; the first turn warms up and only its memory counts.
 */
import type { Measured } from './child.ts';

export interface Side {
  readonly name: string;
  readonly measure: () => Promise<Measured>;
  /** Enough of one turn: a slow way that nobody is judged by. */
  readonly once?: boolean;
}

export interface Taken {
  /** Median, milliseconds. */
  readonly milliseconds: number;
  /** Turns that count. */
  readonly turns: number;
  /** Most over all turns. */
  readonly extraMiB: number | null;
  readonly peakMiB: number | null;
  /** Of the first turn. */
  readonly result: unknown;
}

export interface Turns {
  /** Turns that count, at least 3. */
  readonly most: number;
  /** A side that has taken 3 turns stops when it has taken this long. */
  readonly budgetSeconds: number;
}

/** From here on a first turn counts: what it warms up is nothing beside it. */
const SLOW_SECONDS = 3;
const LEAST_TURNS = 3;

export async function takeTurns(sides: readonly Side[], { most, budgetSeconds }: Turns): Promise<Map<string, Taken>> {
  const runs = sides.map((side) => ({ side, seconds: [] as number[], spent: 0, extra: null as number | null }));
  const peaks = new Map<string, number | null>();
  const results = new Map<string, unknown>();
  for (let turn = -1; turn < most; turn++) {
    for (const run of runs) {
      const { side, seconds } = run;
      const isDone = side.once === true ? seconds.length > 0 : seconds.length >= LEAST_TURNS;
      if (isDone && (side.once === true || run.spent > budgetSeconds || seconds.length >= most)) continue;
      const measured = await side.measure();
      run.spent += measured.seconds;
      run.extra = largest(run.extra, measured.extraBytes);
      peaks.set(side.name, largest(peaks.get(side.name) ?? null, measured.peakBytes));
      if (turn < 0) results.set(side.name, measured.result);
      if (turn >= 0 || side.once === true || measured.seconds >= SLOW_SECONDS) seconds.push(measured.seconds);
    }
  }
  return new Map(
    runs.map(({ side, seconds, extra }) => [
      side.name,
      {
        milliseconds: 1000 * median(seconds),
        turns: seconds.length,
        extraMiB: mebibytes(extra),
        peakMiB: mebibytes(peaks.get(side.name) ?? null),
        result: results.get(side.name),
      },
    ]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

function largest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

function mebibytes(bytes: number | null): number | null {
  return bytes === null ? null : bytes / 2 ** 20;
}

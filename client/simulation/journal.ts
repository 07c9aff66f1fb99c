/**
 * Finished cells, one JSON line each, written to the disk before the next is begun: what a killed grid goes on from. A line
 * is found by its cell's key, so a journal serves any grid with the same cells, a larger one too.
 */
import { mkdir, open, readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AssayError } from '../../protocol/errors.ts';
import type { Cell } from './cell.ts';
import type { CellResult } from './simulateCell.ts';

export interface FinishedCell {
  readonly key: string;
  readonly cell: Cell;
  readonly result: CellResult;
  /** Wall time of the run. */
  readonly seconds: number;
}

export class Journal {
  readonly path: string;
  private readonly cells: Map<string, FinishedCell>;

  private constructor(path: string, cells: Map<string, FinishedCell>) {
    this.path = path;
    this.cells = cells;
  }

  /**
   * The journal at `path`, empty when there is none. A last line that a crash cut off is removed from the file.
   * @throws AssayError `JOURNAL` for a file that is no journal
   */
  static async open(path: string): Promise<Journal> {
    await mkdir(dirname(path), { recursive: true });
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole));
    const lines = whole.split('\n').slice(0, -1);
    return new Journal(path, new Map(lines.map((line, i) => parseLine(line, `${path}:${i + 1}`))));
  }

  get(key: string): FinishedCell | undefined {
    return this.cells.get(key);
  }

  /** Returns when the line is on the disk. */
  async add(finished: FinishedCell): Promise<void> {
    const line = JSON.stringify(finished);
    const file = await open(this.path, 'a');
    try {
      await file.write(`${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // As it will be read: JSON knows no NaN, the loss of a model that attackers ruined.
    this.cells.set(finished.key, JSON.parse(line) as FinishedCell);
  }
}

function parseLine(line: string, place: string): [string, FinishedCell] {
  try {
    const finished = JSON.parse(line) as FinishedCell;
    if (typeof finished.key === 'string' && Array.isArray(finished.result.accuracy)) return [finished.key, finished];
  } catch {
    // said below
  }
  throw new AssayError('JOURNAL', {
    summary: `${place} is not a finished cell`,
    expected: 'a line that `assay simulate` wrote',
    received: line.slice(0, 60),
    fix: 'remove that line, or name another folder with --out',
  });
}

/**
 * Runs what a journal does not hold yet of a grid, in worker threads. Every cell depends on its own settings alone, so
 * neither their order nor the number of workers changes a bit.
 */
import { Worker } from 'node:worker_threads';
import { AssayError, type AssayErrorDetails } from '../../protocol/errors.ts';
import { type Cell, cellKey } from './cell.ts';
import { cellsOf, type Grid } from './grid.ts';
import type { FinishedCell, Journal } from './journal.ts';
import type { CellResult } from './simulateCell.ts';

/** What a worker thread is given: all cells of a grid have their data in common. */
export interface WorkerSetup {
  readonly common: Pick<Grid, 'dataset' | 'tokenizer' | 'model' | 'hidden' | 'activation'>;
  readonly cacheFolder: string;
}

/** What a worker thread is asked and answers. */
export interface CellRequest {
  readonly key: string;
  readonly cell: Cell;
}
export type CellReply =
  | { readonly result: CellResult; readonly seconds: number }
  | { readonly error: { readonly code: string; readonly details: AssayErrorDetails } };

export interface GridProgress {
  readonly finished: number;
  readonly total: number;
  /** The cell that was finished last; null at the start. */
  readonly last: FinishedCell | null;
}

export interface GridRun {
  readonly grid: Grid;
  readonly journal: Journal;
  readonly workers: number;
  /** Folder for prepared data sets. */
  readonly cacheFolder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: GridProgress) => void;
}

/**
 * @returns every cell's result in the grid's order; null when the signal came first
 * @throws AssayError of the first cell that failed; what was finished before is in the journal
 */
export async function runGrid(run: GridRun): Promise<readonly FinishedCell[] | null> {
  const { grid, journal, signal, onProgress } = run;
  const cells = cellsOf(grid).map((cell): CellRequest => ({ key: cellKey(cell), cell }));
  const missing = [...new Map(cells.map((request) => [request.key, request])).values()].filter(
    ({ key }) => journal.get(key) === undefined,
  );
  const total = new Set(cells.map(({ key }) => key)).size;
  let finished = total - missing.length;
  onProgress({ finished, total, last: null });
  const { dataset, tokenizer, model, hidden, activation } = grid;
  const common: WorkerSetup['common'] = { dataset, tokenizer, model, hidden, activation };
  const queue = missing.values();
  const threads: Worker[] = [];
  const end = (): void => {
    for (const thread of threads) void thread.terminate();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    const work = async (): Promise<void> => {
      const thread = new Worker(new URL('./worker.ts', import.meta.url), {
        workerData: { common, cacheFolder: run.cacheFolder } satisfies WorkerSetup,
        name: 'assay-simulation',
      });
      threads.push(thread);
      for (const request of queue) {
        if (signal.aborted) return;
        const reply = await ask(thread, request);
        const last: FinishedCell = { ...request, ...reply };
        await journal.add(last);
        finished++;
        onProgress({ finished, total, last });
      }
    };
    await Promise.all(Array.from({ length: Math.min(run.workers, missing.length) }, work));
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
  return signal.aborted ? null : cells.map(({ key }) => journal.get(key)!);
}

function ask(thread: Worker, request: CellRequest): Promise<{ result: CellResult; seconds: number }> {
  return new Promise((resolve, reject) => {
    const died = (reason: string) => (): void => {
      reject(
        new AssayError('SIMULATION_FAILED', {
          summary: `a worker thread of the simulation ended: ${reason}`,
          expected: 'an answer about the cell it computed',
          received: 'none',
          fix: 'start again: finished cells are kept; use fewer --workers when memory is short',
        }),
      );
    };
    const onExit = died('it was stopped or ran out of memory');
    const onError = (error: unknown): void => died(error instanceof Error ? error.message : String(error))();
    const settle = (): void => {
      thread.off('exit', onExit);
      thread.off('error', onError);
    };
    thread.once('exit', onExit);
    thread.once('error', onError);
    thread.once('message', (reply: CellReply) => {
      settle();
      if ('result' in reply) resolve(reply);
      else reject(new AssayError(reply.error.code, reply.error.details));
    });
    thread.postMessage(request);
  });
}

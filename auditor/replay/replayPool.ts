/** Replays in this thread when a round is small, in worker threads when that pays. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Replay, type ReplayInput, replayRound } from './replayRound.ts';

/**
 * n times d from which a replay goes to a worker: about a tenth of a second of work, several times what it costs to
 * start a worker and to copy the rows there.
 */
const WORKER_COORDINATES = 2_000_000;

interface Waiting {
  readonly input: ReplayInput;
  readonly resolve: (replay: Replay) => void;
  readonly reject: (error: unknown) => void;
}

export interface ReplayPoolOptions {
  /** Workers at most; 0: never one. Default: one less than the machine's processors, at least 1. */
  readonly workers?: number | undefined;
  /** n times d from which a replay goes to a worker. */
  readonly workerCoordinates?: number | undefined;
}

export class ReplayPool {
  private readonly most: number;
  private readonly threshold: number;
  private readonly idle: Worker[] = [];
  private readonly all = new Set<Worker>();
  private readonly queue: Waiting[] = [];

  constructor({ workers, workerCoordinates = WORKER_COORDINATES }: ReplayPoolOptions = {}) {
    this.most = workers ?? Math.max(1, availableParallelism() - 1);
    this.threshold = workerCoordinates;
  }

  /** @throws AssayError when the rule is not defined for this number of rows. */
  replay(input: ReplayInput): Promise<Replay> {
    if (this.most === 0 || input.rows.length * input.base.length < this.threshold) {
      return new Promise((resolve) => resolve(replayRound(input)));
    }
    return new Promise((resolve, reject) => {
      this.queue.push({ input, resolve, reject });
      this.next();
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((worker) => worker.terminate()));
  }

  private next(): void {
    const waiting = this.queue[0];
    if (waiting === undefined) return;
    const worker = this.idle.pop() ?? (this.all.size < this.most ? this.start() : undefined);
    if (worker === undefined) return;
    this.queue.shift();
    const settle = () => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      this.next();
    };
    const onMessage = (answer: { readonly replay: Replay } | { readonly error: unknown }) => {
      this.idle.push(worker);
      if ('replay' in answer) waiting.resolve(answer.replay);
      else waiting.reject(answer.error);
      settle();
    };
    const onError = (error: unknown) => {
      this.all.delete(worker); // it has ended; the next replay starts another
      waiting.reject(error);
      settle();
    };
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.postMessage(waiting.input);
  }

  private start(): Worker {
    const worker = new Worker(new URL('./replayWorker.ts', import.meta.url));
    this.all.add(worker);
    return worker;
  }
}

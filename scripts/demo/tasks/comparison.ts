/**
 * What a federation is compared with, computed beside it in threads of the demonstration: a model that a silo trains
 * alone, one trained on everybody's data in one place, and how well any weights do on each silo's held-out files.
 */
import { Worker } from 'node:worker_threads';
import type { Manifest } from '../../../protocol/encoding/manifest.ts';

export interface ComparisonData {
  readonly manifest: Manifest;
  /** Data set of each silo; that of all of them together comes last. */
  readonly datasets: readonly string[];
  readonly cacheFolder: string;
  /** Seed of the first model, the federation's, and of training. */
  readonly seed: string;
  /** Minibatches of a whole training. */
  readonly steps: number;
}

/** Trains on one data set from the federation's first model, or takes weights as they are; then measures. */
export type ComparisonJob =
  | { readonly kind: 'train'; readonly dataset: number; readonly measureOn: readonly number[] }
  | { readonly kind: 'measure'; readonly weights: Float32Array; readonly measureOn: readonly number[] };

/** Held-out text of one data set, and how a model does on it. */
export interface Measured {
  readonly dataset: number;
  /** Mean, in nats per token. */
  readonly loss: number;
  /** The same per byte: tokenisers differ in how much text a token holds. */
  readonly bitsPerByte: number;
  readonly tokens: number;
  readonly bytes: number;
}

export type ComparisonReply =
  | { readonly id: number; readonly measured: readonly Measured[] }
  | { readonly id: number; readonly error: unknown };

/** Threads that take jobs one after the other. More can be started when processors become free. */
export class ComparisonThreads {
  readonly #data: ComparisonData;
  readonly #workers: Worker[] = [];
  readonly #waiting: { id: number; job: ComparisonJob }[] = [];
  readonly #open = new Map<
    number,
    { resolve: (measured: readonly Measured[]) => void; reject: (error: unknown) => void }
  >();
  #jobs = 0;
  #closed = false;

  constructor(data: ComparisonData, threads: number) {
    this.#data = data;
    this.grow(threads);
  }

  /** Adds threads. */
  grow(threads: number): void {
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(new URL('comparisonThread.ts', import.meta.url), { workerData: this.#data });
      worker.on('message', (reply: ComparisonReply) => {
        const job = this.#open.get(reply.id)!;
        this.#open.delete(reply.id);
        if ('error' in reply) job.reject(reply.error);
        else job.resolve(reply.measured);
        this.#next(worker);
      });
      worker.on('error', (error) => {
        for (const { reject } of this.#open.values()) reject(error);
        this.#open.clear();
      });
      this.#workers.push(worker);
      this.#next(worker);
    }
  }

  run(job: ComparisonJob): Promise<readonly Measured[]> {
    const id = this.#jobs++;
    const result = new Promise<readonly Measured[]>((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
    });
    // Whoever asked for it waits later, when the federation is at its end.
    result.catch(() => undefined);
    this.#waiting.push({ id, job });
    const idle = this.#idle.shift();
    if (idle !== undefined) this.#next(idle);
    return result;
  }

  readonly #idle: Worker[] = [];

  #next(worker: Worker): void {
    if (this.#closed) return;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(worker);
    else worker.postMessage(next);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

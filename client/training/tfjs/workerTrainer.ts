import { Worker } from 'node:worker_threads';
import { manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { AssayError, type AssayErrorDetails } from '../../../protocol/errors.ts';
import type { Dataset } from '../../datasets/dataset.ts';
import { type AnyDataset, isText, type TextDataset } from '../../datasets/text/textDataset.ts';
import type { SeedPart } from '../../random.ts';
import type {
  EvaluateTask,
  Evaluation,
  MeasuredPersonalModel,
  PersonaliseTask,
  Trainer,
  TrainingManifest,
  TrainProgress,
  TrainResult,
  TrainTask,
} from '../trainer.ts';
import type { ModelMaterial } from './engine.ts';

/** What the worker thread starts with. */
export interface WorkerSetup {
  readonly manifest: TrainingManifest;
  readonly train: AnyDataset;
  readonly test?: AnyDataset;
  readonly material?: ModelMaterial;
}

export type TrainerRequest = { readonly id: number } & (
  | { readonly verb: 'init'; readonly seed: SeedPart }
  | { readonly verb: 'train'; readonly task: Omit<TrainTask, 'onProgress'> }
  | ({ readonly verb: 'evaluate' } & EvaluateTask)
  | { readonly verb: 'personalise'; readonly task: PersonaliseTask }
);

type WithoutId<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

export interface TrainerReply {
  readonly id: number;
  readonly value?: Float32Array | TrainResult | Evaluation | MeasuredPersonalModel;
  readonly progress?: TrainProgress;
  readonly error?: { readonly code: string; readonly details: AssayErrorDetails };
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: TrainTask['onProgress'];
}

/**
 * A trainer whose engine runs in one worker thread of its own, so that the node goes on answering requests while it
 * trains. The thread starts with the first task and, should it die, anew with the next one; an idle thread does not
 * keep the process alive.
 */
export class WorkerTrainer implements Trainer {
  readonly engine: string;
  readonly dimension: number;
  readonly #setup: WorkerSetup;
  readonly #thread: URL;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #lastId = 0;
  #closed = false;

  /** @param thread the module the thread runs; another one only to test how this class takes a thread's death */
  constructor(setup: WorkerSetup, thread: URL = new URL('./worker.ts', import.meta.url)) {
    this.#thread = thread;
    this.engine = setup.manifest.engine;
    this.dimension = manifestDimension(setup.manifest);
    this.#setup = {
      ...setup,
      train: compact(setup.train),
      ...(setup.test === undefined ? {} : { test: compact(setup.test) }),
    };
  }

  init(seed: SeedPart): Promise<Float32Array> {
    return this.#ask({ verb: 'init', seed });
  }

  train({ onProgress, ...task }: TrainTask): Promise<TrainResult> {
    return this.#ask({ verb: 'train', task }, onProgress);
  }

  evaluate(task: EvaluateTask): Promise<Evaluation> {
    return this.#ask({ verb: 'evaluate', ...task });
  }

  personalise(task: PersonaliseTask): Promise<MeasuredPersonalModel> {
    return this.#ask({ verb: 'personalise', task });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #ask<Value>(request: WithoutId<TrainerRequest>, onProgress?: TrainTask['onProgress']): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      if (this.#closed) {
        reject(failure('the trainer was closed', 'make a new one'));
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
      this.#worker ??= this.#start();
      this.#worker.ref();
      // The weights are copied, not moved: the caller keeps its own.
      this.#worker.postMessage({ ...request, id });
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#thread, {
      workerData: this.#setup,
      name: 'assay-trainer',
    });
    let reason = 'it ended without a word';
    worker.on('message', (reply: TrainerReply) => this.#settle(worker, reply));
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.once('exit', () => this.#bury(worker, reason));
    return worker;
  }

  #settle(worker: Worker, reply: TrainerReply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if (reply.progress !== undefined) {
      pending.onProgress?.(reply.progress);
      return;
    }
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) worker.unref();
    if (reply.error !== undefined) pending.reject(new AssayError(reply.error.code, reply.error.details));
    else pending.resolve(reply.value as never);
  }

  #bury(worker: Worker, reason: string): void {
    if (this.#worker === worker) this.#worker = undefined;
    const orphans = [...this.#pending.values()];
    this.#pending.clear();
    const text = this.#closed ? 'the trainer was closed while it worked' : `the training thread died: ${reason}`;
    for (const { reject } of orphans)
      reject(failure(text, 'ask again: a new thread starts; if it dies again, give Node more memory'));
  }
}

function failure(summary: string, fix: string): AssayError {
  return new AssayError('TRAINER_FAILED', { summary, expected: 'a running training thread', received: 'none', fix });
}

/** A data set that owns its bytes: copying a view to a thread would copy the whole buffer under it. */
function compact(dataset: AnyDataset): AnyDataset {
  const own = <Rows extends Dataset['x'] | Dataset['y'] | TextDataset['tokens']>(rows: Rows): Rows =>
    (rows.byteLength === rows.buffer.byteLength ? rows : rows.slice()) as Rows;
  if (isText(dataset)) return { ...dataset, tokens: own(dataset.tokens) };
  return { ...dataset, x: own(dataset.x), y: own(dataset.y) };
}

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { AnyDataset } from '../../datasets/text/textDataset.ts';
import { deriveSeed, type SeedPart } from '../../random.ts';
import { localSteps as checkedLocalSteps } from '../algorithms/localSteps.ts';
import type {
  EvaluateTask,
  Evaluation,
  LocalMemory,
  Trainer,
  TrainingManifest,
  TrainResult,
  TrainTask,
} from '../trainer.ts';
import type { TrainerCommand } from './command.ts';
import { writeSamples } from './dataFolder.ts';
import { trainerEnvironment } from './environment.ts';
import { TrainerSession } from './session.ts';
import {
  type Answer,
  answerLimits,
  encodeFrozen,
  encodeMemory,
  encodeModel,
  judgeAnswer,
  progressSchema,
  type Result,
  sha256Hex,
  type Task,
  TRAINER_PROTOCOL,
  type Verb,
} from './task.ts';
import { runInFolder } from './taskFolder.ts';
import { DEFAULT_LIMITS, type TrainerLimits, type TrainerProcess } from './trainerProcess.ts';

/** `auto`: persistent if the command says hello, else one process for each task. */
export type TrainerMode = 'auto' | 'persistent' | 'folder';

export interface ExternalTrainerOptions {
  readonly manifest: TrainingManifest;
  readonly command: TrainerCommand;
  readonly mode?: TrainerMode;
  /** Samples for the trainer, written to its data folder; or `data`, a folder that it understands itself. */
  readonly train?: AnyDataset;
  readonly test?: AnyDataset;
  readonly data?: string;
  /** Values of the model's frozen tensors, one after the other. */
  readonly frozen?: Float32Array;
  readonly limits?: Partial<TrainerLimits>;
  /** The node's environment, of which an allow-list is shown: `environment.ts`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Names of variables that are shown besides. */
  readonly showEnvironment?: readonly string[];
  /** Where tasks and samples lie while it works, emptied at the start; default: a temporary folder of its own. */
  readonly workFolder?: string;
  /** What the trainer prints, line by line, and what the host has to say about it. */
  readonly onLog?: (line: string) => void;
}

/** The vectors that go with a task. */
interface Models {
  readonly weights?: Float32Array;
  readonly previousWeights?: Float32Array | null | undefined;
  readonly memory?: LocalMemory | null | undefined;
}

/**
 * A trainer in any language behind the contract `trainer/1` (docs/spec/trainer.md). It gets the public model and its own
 * participant's samples, and hands back weights. It gets no key and no password, and nothing it says is believed: what
 * is signed, the difference, clipped and rounded, is computed here.
 *
 * A persistent trainer that dies is started once more and asked again; what fails twice, fails.
 */
export class ExternalTrainer implements Trainer {
  readonly engine = TRAINER_PROTOCOL;
  readonly dimension: number;
  readonly #options: ExternalTrainerOptions;
  readonly #limits: TrainerLimits;
  readonly #env: Record<string, string>;
  #mode: TrainerMode;
  #session: TrainerSession | undefined;
  #process: TrainerProcess | undefined;
  #work: Promise<{ readonly folder: string; readonly data: string | null }> | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #onProgress: TrainTask['onProgress'];
  #closed = false;

  constructor(options: ExternalTrainerOptions) {
    this.#options = options;
    this.#mode = options.mode ?? 'auto';
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#env = trainerEnvironment(options.environment ?? process.env, options.showEnvironment);
    this.dimension = manifestDimension(options.manifest);
  }

  /** How the command is run, as far as that is known: `auto` until its first task. */
  get mode(): TrainerMode {
    return this.#mode;
  }

  async init(seed: SeedPart): Promise<Float32Array> {
    const { weights } = await this.#ask('init', 0, deriveSeed(seed, TRAINER_PROTOCOL, 'init'), {});
    return weights!;
  }

  async train(task: TrainTask): Promise<TrainResult> {
    const started = performance.now();
    const { weights, previousWeights, memory, serverLearningRate, localSteps } = task;
    // Whether this device may have a number of its own is the federation's matter, whatever trains.
    if (localSteps !== undefined) checkedLocalSteps(this.#options.manifest.training, localSteps, 1);
    const seed = deriveSeed(task.seed, TRAINER_PROTOCOL, 'train', task.round);
    const config = {
      ...(localSteps === undefined ? {} : { localSteps }),
      ...(serverLearningRate === undefined ? {} : { serverLearningRate }),
    };
    const result = await this.#ask(
      'train',
      Number(task.round),
      seed,
      { weights, previousWeights, memory },
      config,
      task.onProgress,
    );
    const { samples, steps, loss, accuracy } = result;
    const seconds = (performance.now() - started) / 1000;
    return { weights: result.weights!, memory: result.memory, samples, steps, loss, accuracy, seconds };
  }

  async evaluate({ weights, memory }: EvaluateTask): Promise<Evaluation> {
    if (this.#options.test === undefined && this.#options.train !== undefined) {
      throw new AssayError('NO_TEST_DATA', {
        summary: 'this trainer was made without held-out samples',
        expected: 'a `test` data set',
        received: 'none',
        fix: 'make the trainer with held-out samples to evaluate',
      });
    }
    const seed = deriveSeed(TRAINER_PROTOCOL, 'evaluate');
    const { loss, accuracy, samples } = await this.#ask('evaluate', 0, seed, { weights, memory });
    return { loss, accuracy, samples };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    // Idle, it may end by itself; at work, its result is not waited for.
    await (this.#process === undefined ? session?.close() : this.#process.kill());
    await this.#queue.catch(() => undefined);
    const work = await this.#work?.catch(() => undefined);
    if (work !== undefined) await rm(work.folder, { recursive: true, force: true });
  }

  #ask(
    verb: Verb,
    round: number,
    seed: Uint8Array,
    { weights, previousWeights, memory }: Models,
    config: Readonly<Record<string, number>> = {},
    onProgress?: TrainTask['onProgress'],
  ): Promise<Result> {
    const work = async (): Promise<Result> => {
      this.#refuseClosed();
      const { manifest, command } = this.#options;
      const { task: kind, model, tensors, training, data, engine } = manifest;
      this.#work ??= this.#prepare();
      const attachments = new Map<string, Uint8Array>();
      if (weights !== undefined) attachments.set('model', encodeModel(manifest, weights));
      if (previousWeights) attachments.set('previous', encodeModel(manifest, previousWeights));
      if (memory && Object.keys(memory).length > 0) attachments.set('memory', encodeMemory(memory));
      const { frozen } = this.#options;
      if (frozen !== undefined) attachments.set('frozen', encodeFrozen(manifest, frozen));
      const file = attachments.get('model');
      const task: Task = {
        header: {
          protocol: TRAINER_PROTOCOL,
          id: toHex(randomBytes(16)).slice(2),
          verb,
          round,
          seed: toHex(seed).slice(2),
          manifest: { task: kind, model, tensors, training, data, engine },
          config: { ...training, ...config },
          data: (await this.#work).data,
          ...(file === undefined ? {} : { modelSha256: sha256Hex(file) }),
        },
        attachments,
      };
      this.#onProgress = onProgress;
      try {
        const answer = await this.#answer(task);
        try {
          return judgeAnswer(command.name, task, answer);
        } catch (error) {
          // Whoever gave one wrong answer may be out of step: the next task meets a new process.
          if ((error as AssayError).code === 'TRAINER_RESULT') await this.#drop();
          throw error;
        }
      } catch (error) {
        this.#refuseClosed();
        throw error;
      } finally {
        this.#process = undefined;
        this.#onProgress = undefined;
      }
    };
    const result = this.#queue.then(work, work);
    this.#queue = result;
    // Whoever asked gets the error; the queue goes on.
    result.catch(() => undefined);
    return result;
  }

  async #answer(task: Task): Promise<Answer> {
    if (this.#mode === 'folder') return this.#inFolder(task);
    if (this.#mode === 'auto') {
      try {
        await this.#open().ready;
        this.#mode = 'persistent';
      } catch (error) {
        this.#refuseClosed();
        const { code, details } = error as AssayError;
        if (code === 'TRAINER_START') throw error;
        await this.#drop();
        this.#mode = 'folder';
        const why = details.received?.split('\n')[0] ?? details.summary;
        this.#say(`does not stay and speak frames (${why}); it is started for each task`);
        return this.#inFolder(task);
      }
    }
    try {
      return await this.#inSession(task);
    } catch (error) {
      if ((error as AssayError).code !== 'TRAINER_FAILED' || this.#closed) throw error;
      this.#say(`${(error as Error).message}\n  It is started once more.`);
      await this.#drop();
      return this.#inSession(task);
    }
  }

  async #inSession(task: Task): Promise<Answer> {
    if (this.#session?.usable === false) await this.#drop();
    const session = this.#open();
    this.#process = session.process;
    return session.ask(task);
  }

  #open(): TrainerSession {
    if (this.#session !== undefined) return this.#session;
    const { manifest, command } = this.#options;
    const session = new TrainerSession({
      command,
      env: this.#env,
      limits: this.#limits,
      limit: answerLimits(manifest),
      onLine: (line) => this.#hear(line),
      onProgress: (frame) => this.#progress(frame),
    });
    this.#session = session;
    this.#process = session.process;
    return session;
  }

  async #drop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.process.kill();
  }

  async #inFolder(task: Task): Promise<Answer> {
    const { manifest, command } = this.#options;
    return runInFolder(task, {
      within: (await this.#work!).folder,
      command,
      env: this.#env,
      limits: this.#limits,
      limit: answerLimits(manifest),
      onLine: (line) => this.#hear(line),
      onProcess: (process) => {
        this.#process = process;
      },
    });
  }

  /** A line is a progress report if it is JSON that says so; every other line is for the log. */
  #hear(line: string): void {
    if (line.startsWith('{')) {
      try {
        if (this.#progress(JSON.parse(line))) return;
      } catch {
        // an ordinary line that begins with a brace
      }
    }
    this.#options.onLog?.(`${this.#options.command.name}: ${line}`);
  }

  #progress(report: unknown): boolean {
    const parsed = progressSchema.safeParse(report);
    if (!parsed.success) return false;
    const { epoch, epochs, loss, accuracy } = parsed.data;
    this.#onProgress?.({ epoch, epochs, loss, accuracy });
    return true;
  }

  async #prepare(): Promise<{ readonly folder: string; readonly data: string | null }> {
    const { workFolder, train, test, data } = this.#options;
    let folder: string;
    if (workFolder === undefined) folder = await mkdtemp(join(tmpdir(), 'assay-trainer-'));
    else {
      folder = resolve(workFolder);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    if (data !== undefined) return { folder, data: resolve(data) };
    if (train === undefined) return { folder, data: null };
    const samples = join(folder, 'data');
    await mkdir(samples, { mode: 0o700 });
    await writeSamples(samples, 'train', train);
    if (test !== undefined) await writeSamples(samples, 'test', test);
    return { folder, data: samples };
  }

  #say(text: string): void {
    this.#options.onLog?.(`${this.#options.command.name} ${text}`);
  }

  #refuseClosed(): void {
    if (!this.#closed) return;
    throw new AssayError('TRAINER_FAILED', {
      summary: 'the trainer was closed',
      expected: 'an open trainer',
      received: 'a closed one',
      fix: 'make a new one',
    });
  }
}

import { AssayError } from '../../../protocol/errors.ts';
import { type AttachmentLimit, encodeFrame, type Frame, FrameReader } from './frames.ts';
import { type Answer, type Task, TRAINER_PROTOCOL } from './task.ts';
import { type ProcessOptions, TrainerProcess } from './trainerProcess.ts';

/** The argument that asks a command to stay and speak frames. */
export const SERVE = '--serve';

export interface SessionOptions extends Omit<ProcessOptions, 'args' | 'stdout'> {
  readonly limit: AttachmentLimit;
  readonly onProgress: (frame: Readonly<Record<string, unknown>>) => void;
}

/** Who is at the other end: `hello`, the first frame a persistent trainer sends. */
export interface Hello {
  readonly name?: string;
}

/**
 * A persistent trainer: `CMD --serve`, started once and asked one task after another through its pipes, so that what is
 * slow to load is loaded once. It says hello first.
 */
export class TrainerSession {
  readonly process: TrainerProcess;
  /** Resolves when the trainer has said hello. @throws AssayError as `ask`, and when it does not speak this protocol */
  readonly ready: Promise<Hello>;
  /** Whoever waits for the next frame that is not a progress report. */
  #waiting: { resolve: (frame: Frame) => void; reject: (error: Error) => void } | undefined;
  #early: Frame | undefined;
  #broken: AssayError | undefined;

  constructor({ limit, onProgress, ...options }: SessionOptions) {
    this.process = new TrainerProcess({ ...options, args: [SERVE], stdout: 'frames' });
    const reader = new FrameReader((frame) => {
      if (frame.header.type === 'progress') onProgress(frame.header);
      else this.#deliver(frame);
    }, limit);
    this.process.output.on('data', (chunk: Uint8Array) => {
      if (this.#broken !== undefined) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#break(error as AssayError);
      }
    });
    this.process.ended.then(async () => this.#waiting?.reject(this.#broken ?? (await this.process.failure())));
    this.process.watch();
    this.ready = this.#greet();
    // Whoever asks learns of it.
    this.ready.catch(() => undefined);
  }

  /** Whether it can take another task. */
  get usable(): boolean {
    return !this.process.over && this.#broken === undefined;
  }

  /** @throws AssayError TRAINER_FAILED, TRAINER_TIMEOUT, TRAINER_START, TRAINER_PROTOCOL; the process is gone then */
  async ask(task: Task): Promise<Answer> {
    await this.ready;
    this.process.hold(true);
    this.process.watch();
    const answer = this.#next();
    answer.catch(() => undefined);
    for (const part of encodeFrame({ type: 'task', ...task.header }, task.attachments)) await this.process.send(part);
    const { header, attachments } = await answer;
    this.process.rest();
    this.process.hold(false);
    if (header.type !== 'result') {
      this.#break(
        new AssayError('TRAINER_PROTOCOL', {
          summary: `the trainer ${this.process.name} sent a frame that is no answer`,
          expected: 'a frame of type progress or result',
          received: JSON.stringify(header.type ?? null),
          fix: 'run `assay trainer check` with the same command',
        }),
      );
      throw this.#broken!;
    }
    return { header, attachments };
  }

  /** Lets it end by itself; by force if it does not. */
  async close(): Promise<void> {
    await this.process.finish();
  }

  async #greet(): Promise<Hello> {
    const { header } = await this.#next();
    this.process.rest();
    this.process.hold(false);
    if (header.type !== 'hello' || header.protocol !== TRAINER_PROTOCOL) {
      this.#break(
        new AssayError('TRAINER_PROTOCOL', {
          summary: `the trainer ${this.process.name} speaks another protocol`,
          expected: `{"type":"hello","protocol":"${TRAINER_PROTOCOL}"} as its first frame`,
          received: JSON.stringify(header).slice(0, 200),
          fix: 'use a trainer made for this version of Assay',
        }),
      );
      throw this.#broken!;
    }
    return typeof header.name === 'string' ? { name: header.name.slice(0, 200) } : {};
  }

  #next(): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const early = this.#early;
      this.#early = undefined;
      if (this.#broken !== undefined) reject(this.#broken);
      else if (early !== undefined) resolve(early);
      else if (this.process.over) this.process.failure().then(reject);
      else this.#waiting = { resolve, reject };
    });
  }

  #deliver(frame: Frame): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting.resolve(frame);
    // One frame may come before anybody asks: hello. Another one is an answer to nothing.
    else if (this.#early === undefined) this.#early = frame;
    else {
      this.#break(
        new AssayError('TRAINER_PROTOCOL', {
          summary: `the trainer ${this.process.name} speaks without being asked`,
          expected: 'one result for each task',
          received: JSON.stringify(frame.header).slice(0, 200),
        }),
      );
    }
  }

  #break(error: AssayError): void {
    this.#broken = error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    void this.process.kill();
  }
}

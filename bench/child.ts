/**
 * A process of its own for one side of a comparison: nobody else's memory is in its high-water mark. It is told what to
 * do by lines of JSON on its input and answers each by one on its output; while it waits it costs nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One measurement, as a child answers it. */
export interface Measured {
  readonly seconds: number;
  /** Most memory that the process held meanwhile beyond what it held before; null where the system does not say. */
  readonly extraBytes: number | null;
  /** Most memory that the process held meanwhile. */
  readonly peakBytes: number | null;
  /** What came out, for a task that is asked to say. */
  readonly result?: unknown;
}

export class Child {
  private readonly process: ChildProcess;
  private readonly answers: AsyncIterator<string>;
  private complaints = '';

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.process.on('error', (error) => {
      this.complaints += error.message;
    });
    this.process.stderr!.on('data', (bytes) => {
      this.complaints += bytes;
    });
    this.process.stdin!.on('error', () => undefined); // it has ended: the next answer says so
    this.answers = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  /** @throws Error with what the child complained about */
  async ask<Answer = Measured>(task: unknown): Promise<Answer> {
    this.process.stdin!.write(`${JSON.stringify(task)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error(`${this.process.spawnfile} ended: ${this.complaints.trim().slice(-2000)}`);
    const answer = JSON.parse(value) as Answer | { readonly error: string };
    if (answer !== null && typeof answer === 'object' && 'error' in answer) throw new Error(answer.error);
    return answer as Answer;
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('close', resolve));
    this.process.stdin!.end();
    await ended;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { AssayError } from '../../../protocol/errors.ts';
import type { TrainerCommand } from './command.ts';

/** How long a trainer may take. Any output, a log line included, is a sign of life. */
export interface TrainerLimits {
  /** Without a sign of life. */
  readonly idleSeconds: number;
  /** For one task. */
  readonly totalSeconds: number;
  /** Between the request to end and the end by force. */
  readonly graceSeconds: number;
}

export const DEFAULT_LIMITS: TrainerLimits = { idleSeconds: 300, totalSeconds: 24 * 3600, graceSeconds: 5 };

export interface ProcessOptions {
  readonly command: TrainerCommand;
  /** Appended to the command's own arguments. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: TrainerLimits;
  /** `lines`: standard output is text, line by line, as standard error is. `frames`: it is the caller's. */
  readonly stdout: 'lines' | 'frames';
  readonly onLine: (line: string) => void;
}

/** Lines kept for the message when it fails, and how much of each. */
const TAIL_LINES = 12;
const MAX_LINE = 2000;

/** Groups that must not outlive this process. */
const alive = new Set<number>();
let guarded = false;

/**
 * A trainer's process, at the head of a process group of its own: what it starts, worker processes of a data loader
 * included, ends with it. The operating system gives a group to whoever asks (POSIX `setpgid`, here `detached`), and a
 * signal to the negative number reaches all of it.
 */
export class TrainerProcess {
  readonly name: string;
  /** Resolves, and never rejects, with how it ended: `exit status 3`, `signal SIGKILL`, `spawn ENOENT`. */
  readonly ended: Promise<string>;
  /** Whether it ended with exit status 0. Meaningful once `ended`. */
  succeeded = false;
  readonly #child: ChildProcess;
  readonly #limits: TrainerLimits;
  readonly #tail: string[] = [];
  #idle: NodeJS.Timeout | undefined;
  #total: NodeJS.Timeout | undefined;
  #expired: string | undefined;
  #over = false;

  constructor({ command, args, env, limits, stdout, onLine }: ProcessOptions) {
    this.name = command.name;
    this.#limits = limits;
    this.#child = spawn(command.file, [...command.args, ...args], {
      detached: true,
      env: { ...env },
      stdio: [stdout === 'frames' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const { pid } = this.#child;
    if (pid !== undefined) guard(pid);
    const hear = (line: string): void => {
      this.#tail.push(line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}...` : line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      onLine(line);
    };
    const texts = [this.#child.stderr!, ...(stdout === 'lines' ? [this.#child.stdout!] : [])];
    for (const stream of texts) readLines(stream, hear);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on('data', () => this.#signOfLife());
    // A process that is gone is seen by `ended`; that its pipe is gone as well is no news.
    this.#child.stdin?.on('error', () => undefined);

    this.ended = new Promise((resolve) => {
      let failure: string | undefined;
      this.#child.once('error', (error) => {
        failure = error.message;
        if (pid === undefined) resolve(failure);
      });
      // What it left behind in its group would hold its pipes open; without it, `close` comes at once.
      this.#child.once('exit', () => pid !== undefined && this.#signal('SIGKILL'));
      this.#child.once('close', (status, signal) => {
        this.succeeded = status === 0;
        resolve(failure ?? (signal === null ? `exit status ${status}` : `signal ${signal}`));
      });
    }).then((how) => {
      this.#over = true;
      this.rest();
      if (pid !== undefined) alive.delete(pid);
      return how as string;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Standard output, of a process that speaks frames. */
  get output(): Readable {
    return this.#child.stdout!;
  }

  /** Standard input, of a process that speaks frames. Resolves when the bytes are out of our hands. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#child.stdin!.write(bytes, () => resolve());
    });
  }

  /** A task begins: from now on it must show signs of life, and be done in time. */
  watch(): void {
    this.rest();
    this.#expired = undefined;
    const { idleSeconds, totalSeconds } = this.#limits;
    this.#idle = setTimeout(() => this.#expire(`no sign of life for ${idleSeconds} s`), idleSeconds * 1000);
    this.#total = setTimeout(
      () => this.#expire(`not done after ${totalSeconds} s`),
      Math.min(totalSeconds * 1000, 2 ** 31 - 1),
    );
  }

  /** The task is over; until the next one it may be silent for as long as it likes. */
  rest(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
    this.#idle = undefined;
    this.#total = undefined;
  }

  /** Ends the whole group: asked first, by force after the grace. */
  async kill(): Promise<void> {
    if (this.#over) return;
    this.#child.stdin?.destroy();
    this.#signal('SIGTERM');
    const force = setTimeout(() => this.#signal('SIGKILL'), this.#limits.graceSeconds * 1000);
    await this.ended;
    clearTimeout(force);
  }

  /** The request to end that a persistent trainer understands: its input ends. By signal if it does not listen. */
  async finish(): Promise<void> {
    if (this.#over) return;
    this.#child.stdin?.end();
    const impatience = setTimeout(() => void this.kill(), this.#limits.graceSeconds * 1000);
    await this.ended;
    clearTimeout(impatience);
  }

  /** Keeps this process alive while a task runs, and only then. */
  hold(on: boolean): void {
    if (on) this.#child.ref();
    else this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      const handle = stream as unknown as { ref?(): void; unref?(): void } | null;
      if (on) handle?.ref?.();
      else handle?.unref?.();
    }
  }

  /** Why a task on this process failed, with the last lines it printed. */
  async failure(): Promise<AssayError> {
    const how = await this.ended;
    const tail =
      this.#tail.length > 0
        ? `${how}; it last said:\n${this.#tail.map((line) => `    | ${line}`).join('\n')}`
        : `${how}, without a word`;
    if (this.#expired !== undefined) {
      return new AssayError('TRAINER_TIMEOUT', {
        summary: `the trainer ${this.name} was ended: ${this.#expired}`,
        expected: 'a line, a progress report or a result within the limits',
        received: tail,
        fix: 'have it print progress, or raise the limits',
      });
    }
    if (/ENOENT|EACCES/.test(how)) {
      return new AssayError('TRAINER_START', {
        summary: `the trainer ${this.name} cannot be started`,
        expected: 'a program on the PATH, or the path of one that may be executed',
        received: how,
        fix: 'check the command and its permissions',
      });
    }
    return new AssayError('TRAINER_FAILED', {
      summary: `the trainer ${this.name} ended before it had a result`,
      expected: 'a result',
      received: tail,
      fix: 'run `assay trainer check` with the same command to see what it does',
    });
  }

  #signOfLife(): void {
    this.#idle?.refresh();
  }

  #expire(reason: string): void {
    this.#expired = reason;
    void this.kill();
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  }
}

/** Whatever way this process ends, as long as it can still say so, its trainers end with it. */
function guard(pid: number): void {
  alive.add(pid);
  if (guarded) return;
  guarded = true;
  process.once('exit', () => {
    for (const group of alive) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // gone already
      }
    }
  });
}

/** Lines without their ends; a last one without an end counts. A line that never ends is cut, not collected. */
function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length > 64 * MAX_LINE) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

/** One terminal of whoever follows a page: a shell with the page's commands typed in, and what they print. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export class Terminal {
  output = '';
  private readonly child: ChildProcess;
  private closed = false;
  private readonly exit: Promise<number | null>;
  private readonly listeners = new Set<() => void>();

  constructor(script: string, cwd: string) {
    this.child = spawn('bash', ['-e', '-u', '-o', 'pipefail', '-c', script], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that the end of a failed test can end all of it.
      detached: true,
    });
    const take = (data: Buffer): void => {
      this.output += data.toString();
      for (const listener of this.listeners) listener();
    };
    this.child.stdout!.on('data', take);
    this.child.stderr!.on('data', take);
    this.exit = new Promise((resolve) =>
      this.child.once('close', (status) => {
        this.closed = true;
        resolve(status);
        for (const listener of this.listeners) listener();
      }),
    );
  }

  /** The exit status. */
  ended(): Promise<number | null> {
    return this.exit;
  }

  /** Waits until `text` was printed. @throws when the commands end, or the time does, without it */
  until(text: string, milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.listeners.delete(look);
        finish();
      };
      const fail = (why: string): void => settle(() => reject(new Error(`${why} without "${text}":\n${this.output}`)));
      const look = (): void => {
        if (this.output.includes(text)) settle(resolve);
        else if (this.closed) fail('ended');
      };
      const timer = setTimeout(() => fail(`${milliseconds} ms passed`), milliseconds);
      this.listeners.add(look);
      look();
    });
  }

  /**
   * Asks the last command to end, as Ctrl-C does. (Not the whole group: what passes signals on would pass a second one,
   * which means "at once".) False when it had to be made to.
   */
  async stop(): Promise<boolean> {
    if (this.closed) return true;
    this.child.kill('SIGTERM');
    let asked = true;
    const timer = setTimeout(() => {
      asked = false;
      process.kill(-this.child.pid!, 'SIGKILL');
    }, 20_000);
    await this.exit;
    clearTimeout(timer);
    return asked;
  }
}

/**
 * For a script whose last command goes on: the shell becomes what `npm run assay` runs. (npm and its shell do not pass a signal on;
 * Ctrl-C in a real terminal reaches the node by itself.)
 */
export function replaceShell(script: string): string {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: { assay: string };
  };
  return script.replace(/^npm run (-s )?assay --/m, `exec ${scripts.assay}`);
}

/** One node of the demonstration: a real process whose JSON lines are read as they come. */
import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AssayError } from '../../protocol/errors.ts';

export interface NodeLine {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface NodeProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** Nobody minds when it ends by itself: a liar that was thrown out. */
  readonly mayEnd: boolean;
  /** Rejects when the node ends by itself, with what it said last; resolves when it is stopped. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** What a node runs: the command `assay`, or the demonstration's rogues. */
export type Program = 'assay' | 'rogue';
const ENTRY: Readonly<Record<Program, string>> = {
  assay: fileURLToPath(new URL('../assay.ts', import.meta.url)),
  rogue: fileURLToPath(new URL('rogues/rogue.ts', import.meta.url)),
};
const GRACE_MS = 5_000;

/**
 * @param args arguments of the program
 * @param logFile receives all the node prints
 */
export function startNode(
  name: string,
  program: Program,
  args: readonly string[],
  password: string,
  logFile: string,
  onLine: (line: NodeLine) => void,
  mayEnd: boolean,
): NodeProcess {
  // A forked node ends with the process that started it: its channel closes (see untilStopped.ts).
  const child = fork(ENTRY[program], args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ASSAY_PASSWORD: password },
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  let complaint = '';
  child.stderr!.on('data', (data: Buffer) => {
    log.write(data);
    complaint = (complaint + data.toString()).slice(-4000);
  });
  createInterface({ input: child.stdout! }).on('line', (text) => {
    log.write(`${text}\n`);
    const line = parseLine(text);
    if (line !== null) onLine(line);
  });
  let stopping = false;
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ended = exit.then((code) => {
    log.end();
    if (stopping) return;
    throw new AssayError('NODE_ENDED', {
      summary: `${name} ended by itself (status ${code})`,
      received: complaint.trim() || 'nothing on its standard error',
      fix: `see ${logFile}`,
    });
  });
  ended.catch(() => undefined); // whoever waits for the demonstration races against it
  const stop = async (): Promise<void> => {
    stopping = true;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await exit;
    clearTimeout(timer);
  };
  return { name, child, mayEnd, ended, stop };
}

function parseLine(text: string): NodeLine | null {
  try {
    return JSON.parse(text) as NodeLine;
  } catch {
    return null; // a remark of some library; it is in the log file
  }
}

/**
 * One process per state folder. Node has no `flock`, so the lock is a file `lock.<pid>.<random>.json` and one rule:
 *
 *     write your own lock file, THEN look for others: a living other means you withdraw.
 *
 * Of two processes that start together at least one sees the other, so never do both hold the folder (both may
 * withdraw; they try again after a random pause). A process that was killed leaves its file behind; because every file
 * has its own name, whoever finds one of a dead process removes exactly that one, and no living lock can be removed by
 * mistake.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AssayError } from '../protocol/errors.ts';
import { writeFileAtomic } from './atomicFile.ts';

const lockSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  /** When the process started, in the kernel's own ticks and boot; tells a process from a later one with its pid. */
  started: z.string(),
  owner: z.string(),
  since: z.string(),
});
type Lock = z.infer<typeof lockSchema>;

const LOCK_NAME = /^lock\.\d+\.[0-9a-f]+\.json$/;
const ATTEMPTS = 4;

export interface FolderLock {
  /** Removes the lock file. Harmless when called twice. */
  release(): Promise<void>;
}

/**
 * Takes the folder for this process, removing what dead processes left.
 *
 * @param owner what this process is, for the message another one gets, e.g. `assay client`.
 * @throws AssayError `STATE_FOLDER_LOCKED` naming the pid that holds it.
 */
export async function lockFolder(folder: string, owner: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const name = `lock.${process.pid}.${randomBytes(6).toString('hex')}.json`;
    const path = join(folder, name);
    const lock: Lock = {
      pid: process.pid,
      host: hostname(),
      started: processStart(process.pid) ?? '',
      owner,
      since: new Date().toISOString(),
    };
    await writeFileAtomic(path, `${JSON.stringify(lock)}\n`);
    const other = await livingOther(folder, name);
    if (other === undefined) return holdLock(path);
    await rm(path, { force: true });
    if (attempt === ATTEMPTS) throw lockedError(folder, other);
    await sleep(10 + Math.random() * 60);
  }
}

function holdLock(path: string): FolderLock {
  const removeAtExit = (): void => rmSync(path, { force: true });
  process.on('exit', removeAtExit);
  return {
    release: async () => {
      process.off('exit', removeAtExit);
      await rm(path, { force: true });
    },
  };
}

/** The first lock of a living process other than `own`; removes those of dead ones. */
async function livingOther(folder: string, own: string): Promise<{ name: string; lock: Lock | undefined } | undefined> {
  for (const name of await readdir(folder)) {
    if (name === own || !LOCK_NAME.test(name)) continue;
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    if (text === undefined) continue; // released in the meantime
    const parsed = lockSchema.safeParse(parseJson(text));
    if (!parsed.success) return { name, lock: undefined }; // never a half-written one: lock files appear whole
    if (isAlive(parsed.data)) return { name, lock: parsed.data };
    await rm(join(folder, name), { force: true });
  }
  return undefined;
}

function isAlive(lock: Lock): boolean {
  // Another machine (or container) that shares the folder: its processes cannot be seen from here, so assume the worst.
  if (lock.host !== hostname()) return true;
  try {
    process.kill(lock.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // exists, but belongs to another user
  }
  const started = processStart(lock.pid);
  return started === undefined || lock.started === '' || started === lock.started;
}

/**
 * When process `pid` started, as text to compare; undefined where the system does not tell (then the pid alone
 * decides). A zombie (killed, not yet reaped by its parent) has no start: it runs no more.
 */
function processStart(pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name in parentheses may hold spaces
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function lockedError(folder: string, other: { name: string; lock: Lock | undefined }): AssayError {
  const { name, lock } = other;
  const elsewhere = lock !== undefined && lock.host !== hostname();
  return new AssayError('STATE_FOLDER_LOCKED', {
    summary: `the state folder ${folder} is in use by another node`,
    expected: 'one node for each state folder',
    received:
      lock === undefined
        ? `a lock file that cannot be read: ${name}`
        : `${lock.owner}, pid ${lock.pid}${elsewhere ? ` on host ${lock.host}` : ''}, since ${lock.since}`,
    fix:
      lock === undefined || elsewhere
        ? `stop that node; if you are sure it no longer runs, delete ${join(folder, name)}`
        : `stop it first (kill ${lock.pid}), or give this node a folder of its own`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

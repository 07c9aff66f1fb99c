import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './report.mjs';

// One set-up at a time. The lock is a file that names its holder's process; the holder touches it every few seconds. It
// is stale when that process is gone, or when nobody has touched it for a minute (the number may be another's by now).
const HEARTBEAT_MS = 3_000;
const STALE_MS = 60_000;

/**
 * Runs `work` while no other process sets up the same folder; waits for its turn.
 * @template T
 * @param {string} folder where the lock lives @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function withSetupLock(folder, work) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'setup.lock');
  let told = false;
  while (!tryToTake(path)) {
    if (removeIfStale(path)) {
      say('an earlier set-up was stopped half-way; starting over');
      // What it had started ends with it (leash.mjs), but perhaps not in the same instant.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      continue;
    }
    const other = holder(path);
    if (!told && other !== undefined) {
      say(`another process (${other}) is setting up this folder; waiting for it ...`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const heartbeat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Somebody cleaned the folder; the work itself will say so if that matters.
    }
  }, HEARTBEAT_MS);
  const release = () => {
    if (holder(path) === process.pid) rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.removeListener('exit', release);
    release();
  }
}

/** @param {string} path */
function tryToTake(path) {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    // A link appears with its content or not at all, and never over another: two takers cannot both succeed.
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** @param {string} path @returns {boolean} whether it was stale and this process took it away */
function removeIfStale(path) {
  if (!isStale(path)) return false;
  // Of several that see the stale lock, the rename lets exactly one take it away. Should it have caught a fresh lock
  // that came in between, that one is put back.
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (isStale(aside)) return true;
    linkSync(aside, path);
  } catch {
    // Gone already, or taken by another: the next try decides.
  } finally {
    rmSync(aside, { force: true });
  }
  return false;
}

/** @param {string} path */
function isStale(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > STALE_MS) return true;
    const pid = holder(path);
    if (pid === undefined) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** @param {string} path @returns {number | undefined} */
function holder(path) {
  try {
    return Number(readFileSync(path, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

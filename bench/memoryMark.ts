/** The high-water mark of this process's memory, where Linux keeps one. */
import { readFileSync, writeFileSync } from 'node:fs';

export interface MemoryMark {
  readonly extraBytes: number | null;
  readonly peakBytes: number | null;
}

/** Begins a new high-water mark; the result says how far it has risen. */
export function markMemory(): () => MemoryMark {
  try {
    writeFileSync('/proc/self/clear_refs', '5'); // resets VmHWM to what is resident now (proc(5))
  } catch {
    return () => ({ extraBytes: null, peakBytes: null });
  }
  const before = read('VmRSS');
  return () => ({ extraBytes: Math.max(0, read('VmHWM') - before), peakBytes: read('VmHWM') });
}

function read(field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return 1024 * Number(kibibytes ?? Number.NaN);
}

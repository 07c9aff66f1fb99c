// What set-up tells people. It goes to stderr: a command's stdout is its data.
// These files are plain JavaScript because they run before the right Node and before any package is there.

/** An expected failure: the message says what to do, and no stack trace follows. */
export class SetupError extends Error {
  /** @param {string} summary @param {{expected?: string, received?: string, fix?: string, output?: string}} details */
  constructor(summary, { expected, received, fix, output } = {}) {
    const lines = [summary];
    if (expected) lines.push(`  Expected: ${expected}`);
    if (received) lines.push(`  Received: ${received}`);
    if (fix) lines.push(`  To do:    ${fix}`);
    if (output?.trim()) lines.push('', ...output.trim().split('\n').slice(-20));
    super(lines.join('\n'));
    this.name = 'SetupError';
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/**
 * Runs one slow step and says how long it took.
 * @template T
 * @param {string} what @param {() => Promise<T>} step @returns {Promise<T>}
 */
export async function timed(what, step) {
  say(`${what} ...`);
  const started = Date.now();
  const result = await step();
  say(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

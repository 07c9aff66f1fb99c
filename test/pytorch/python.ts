/** A Python with the modules a test needs, and the example trainers as a node would start them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCommand, type TrainerCommand } from '../../client/training/external/command.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** `ASSAY_PYTHON`, one that `.ci` made, or the one on the PATH: the first that has the modules. */
export function findPython(...modules: readonly string[]): string | undefined {
  const made = ['.cache/python/bin/python', '.cache/pytorch/python'].map((path) => join(ROOT, path));
  const candidates = [process.env.ASSAY_PYTHON ?? '', ...made, 'python3'];
  return candidates
    .filter((python) => python !== '' && (!python.includes('/') || existsSync(python)))
    .find((python) => {
      // Found, not imported: that takes seconds for some.
      const program = `import sys, importlib.util as u; sys.exit(None in map(u.find_spec, ${JSON.stringify(modules)}))`;
      return spawnSync(python, ['-c', program], { stdio: 'ignore' }).status === 0;
    });
}

/** The path of one of the example trainers. */
export function example(name: string): string {
  return join(ROOT, 'client', 'training', 'external', 'python', name);
}

/** A Python script as a trainer's command. */
export function pythonCommand(python: string, script: string, ...args: readonly string[]): TrainerCommand {
  return parseCommand([python, script, ...args].map((word) => `'${word}'`).join(' '));
}

/** Skips the suite and says in one line what is missing. */
export function needPython(context: Mocha.Context, ...modules: readonly string[]): string {
  const python = findPython(...modules);
  if (python !== undefined) return python;
  console.log(
    `    skipped: no python3 with ${modules.join(' and ')} here (ASSAY_PYTHON names one; .ci/python.sh makes one with numpy and Flower, .ci/pytorch.sh one with PyTorch)`,
  );
  context.skip();
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}

/** A Node of the 22 line: another V8 than the one that the project runs on. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The platform's package; macOS on arm64 has another prefix because the plain name belonged to somebody else. */
const PACKAGE = `${process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const FOLDER = fileURLToPath(new URL('../../.runtime/node-22', import.meta.url));

/**
 * `ASSAY_NODE22`, this Node if it is one, or the one from npm, which is fetched into .runtime/ once (45 MB); undefined,
 * and why, when it cannot be had.
 */
export function findNode22(): { readonly node: string } | { readonly node: undefined; readonly why: string } {
  const named = process.env.ASSAY_NODE22;
  if (named !== undefined && named !== '') return check(named);
  if (isNode22(process.execPath)) return { node: process.execPath };
  const node = join(FOLDER, 'node_modules', PACKAGE, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(node)) {
    const options = ['--no-package-lock', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    const args = ['install', ...options, '--prefix', FOLDER, `${PACKAGE}@22`];
    spawnSync('npm', args, { stdio: 'ignore', timeout: 240_000, shell: process.platform === 'win32' });
  }
  return check(node);
}

function check(node: string): ReturnType<typeof findNode22> {
  return isNode22(node) ? { node } : { node: undefined, why: `${node} is no Node 22 (ASSAY_NODE22 names one)` };
}

function isNode22(node: string): boolean {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return /^v22\./.test(stdout ?? '');
}

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from './npm.mjs';
import { SetupError, timed } from './report.mjs';

// Hardhat wants Node 22.13 or newer, and Node runs TypeScript without a warning from 24.3 on. On an older Node the
// project brings its own: npm has Node's executable as a package per platform, one file, without an install script.
const OLDEST = [24, 3];
const PINNED = '24.21.0';

/** True when the Node that runs this is new enough for everything. */
export function isNewEnough(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/**
 * The Node to run everything with, when it is there already.
 * @param {string} root @returns {string | undefined}
 */
export function readyNode(root) {
  if (isNewEnough()) return process.execPath;
  const node = executable(runtimeFolder(root));
  return existsSync(node) ? node : undefined;
}

/**
 * Brings Node `PINNED` into `.runtime/`. The folder gets its final name only when the Node in it has answered.
 * @param {string} root @returns {Promise<string>} path of the executable
 */
export async function installNode(root) {
  const parent = join(root, '.runtime');
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    if (name.startsWith('incoming-')) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const incoming = mkdtempSync(join(parent, 'incoming-'));
  try {
    await timed(
      `Node ${process.versions.node} is too old for Hardhat; fetching Node ${PINNED} into .runtime/ (45 MB)`,
      () => fetchNode(incoming),
    );
    rmSync(runtimeFolder(root), { recursive: true, force: true });
    renameSync(incoming, runtimeFolder(root));
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  return executable(runtimeFolder(root));
}

/** @param {string} folder */
async function fetchNode(folder) {
  const name = packageName();
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const install = (/** @type {string} */ version) =>
    runNpm(
      process.execPath,
      ['install', '--no-package-lock', '--ignore-scripts', '--prefix', folder, `${name}@${version}`],
      {
        cwd: folder,
      },
    );
  try {
    await install(PINNED);
  } catch (error) {
    // Registries that mirror npm may lag behind for some platforms: any Node of the same line will do.
    if (!/E404|ETARGET/.test(error.npmOutput ?? '')) throw error;
    await install(`${OLDEST[0]}`).catch(() => {
      throw new SetupError(`There is no Node ${PINNED} for this platform on the npm registry (${name})`, {
        expected: 'Linux (glibc), macOS or Windows on x64 or arm64',
        received: `${process.platform} ${process.arch}`,
        fix: `install Node ${OLDEST[0]} or newer yourself (https://nodejs.org), then run the command again`,
      });
    });
  }
  renameSync(join(folder, 'node_modules', name), join(folder, 'node'));
  const { stdout, error } = spawnSync(executable(folder), ['--version'], { encoding: 'utf8' });
  if (!isNewEnough((stdout ?? '').trim().replace(/^v/, ''))) {
    throw new SetupError('The Node that npm has for this platform does not run here', {
      expected: `Node ${PINNED}`,
      received: stdout?.trim() || (error?.message ?? 'no answer'),
      fix: `install Node ${OLDEST[0]} or newer yourself (on Alpine: apk add nodejs-current), then run the command again`,
    });
  }
}

/** The platform's package; macOS on arm64 has another prefix because the plain name belonged to somebody else. */
function packageName() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${platform}-${process.arch}`;
}

/** @param {string} root */
function runtimeFolder(root) {
  return join(root, '.runtime', `node-${PINNED}-${process.platform}-${process.arch}`);
}

/** @param {string} folder */
function executable(folder) {
  return join(folder, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

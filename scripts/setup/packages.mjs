import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from './npm.mjs';
import { SetupError, timed } from './report.mjs';

// node_modules is in place when npm finished installing exactly what package-lock.json names. npm writes its own record
// (node_modules/.package-lock.json) as the last thing it does; comparing the two takes longer than a command should
// wait, so the outcome is remembered in a stamp that holds as long as neither file changes.

/** @param {string} root */
export function packagesAreReady(root) {
  const recordPath = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(recordPath)) return false;
  const missing = directDependencies(root).some(
    (name) => !existsSync(join(root, 'node_modules', name, 'package.json')),
  );
  if (missing || !engineIsThere(root)) return false;
  const stamp = currentStamp(root);
  if (readText(stampPath(root)) === stamp) return true;
  if (!sameTree(readJson(join(root, 'package-lock.json')), readJson(recordPath))) return false;
  writeFileSync(stampPath(root), stamp);
  return true;
}

/**
 * `npm ci` under the given Node, and Hardhat's engine for this platform where the lock file does not name it.
 * @param {string} root @param {string} node
 */
export async function installPackages(root, node) {
  // First of all the proofs that everything is in place: whoever is killed from here on finds them gone and starts
  // over.
  rmSync(stampPath(root), { force: true });
  rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true });
  const count = Object.keys(readJson(join(root, 'package-lock.json')).packages ?? {}).length;
  await timed(
    `installing the packages of package-lock.json into node_modules/ (npm ci, ${count} entries)`,
    async () => {
      // No package of ours needs its install script, so none gets to run one.
      await runNpm(node, ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--prefix', root], {
        cwd: root,
      });
      if (!engineIsThere(root)) await installEngine(root, node);
    },
  );
  writeFileSync(stampPath(root), currentStamp(root));
}

/** Hardhat's EVM is a native module, one package per platform, and optional: npm leaves it out without a word. */
function engineName() {
  const libc =
    process.platform === 'linux' ? (usesGlibc() ? '-gnu' : '-musl') : process.platform === 'win32' ? '-msvc' : '';
  return `@nomicfoundation/edr-${process.platform}-${process.arch}${libc}`;
}

/** @param {string} root */
function engineIsThere(root) {
  return (
    !existsSync(join(root, 'node_modules', '@nomicfoundation', 'edr')) ||
    existsSync(join(root, 'node_modules', engineName(), 'package.json'))
  );
}

/** @param {string} root @param {string} node */
async function installEngine(root, node) {
  const { version, optionalDependencies = {} } = readJson(
    join(root, 'node_modules', '@nomicfoundation', 'edr', 'package.json'),
  );
  const name = engineName();
  if (!(name in optionalDependencies)) {
    throw new SetupError('Hardhat has no engine for this platform', {
      expected: Object.keys(optionalDependencies).join(', '),
      received: name,
      fix: 'use one of these platforms, or a container of one',
    });
  }
  const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--include=dev', '--prefix', root];
  await runNpm(node, [...args, `${name}@${version}`], { cwd: root });
  if (!engineIsThere(root)) {
    throw new SetupError(`npm did not install Hardhat's engine ${name} ${version}`, {
      fix: `run: npm install --no-save ${name}@${version}`,
    });
  }
}

/**
 * Whether what npm recorded is what the lock file asks for. Optional packages may be absent (they are for other
 * platforms).
 * @param {any} lock @param {any} record
 */
export function sameTree(lock, record) {
  const wanted = lock.packages ?? {};
  const present = record.packages ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || (present[path] === undefined && (entry.optional || entry.devOptional || entry.peer))) continue;
    if (present[path]?.version !== entry.version || present[path]?.integrity !== entry.integrity) return false;
  }
  return Object.keys(present).every((path) => path in wanted || present[path].optional || path.includes('/edr-'));
}

/** @param {string} root */
function directDependencies(root) {
  const { dependencies = {}, devDependencies = {} } = readJson(join(root, 'package.json'));
  return Object.keys({ ...dependencies, ...devDependencies });
}

/** @param {string} root */
function currentStamp(root) {
  const hash = (/** @type {string} */ path) => createHash('sha256').update(readFileSync(path)).digest('hex');
  const record = statSync(join(root, 'node_modules', '.package-lock.json'));
  const parts = [hash(join(root, 'package-lock.json')), record.size, record.mtimeMs, process.platform, process.arch];
  return `${parts.join(' ')}\n`;
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules', '.assay-setup');
}

function usesGlibc() {
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (path.includes('node_modules')) return {};
    throw new SetupError(`${path} cannot be read (${error.message})`, {
      fix: 'restore it: git checkout package.json package-lock.json',
    });
  }
}

/** @param {string} path */
function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

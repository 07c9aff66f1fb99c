import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runJavaScript } from './npm.mjs';
import { SetupError, timed } from './report.mjs';

// Compiled contracts are in artifacts/. They are in place when they were made from these very sources, settings and
// packages (the compiler and OpenZeppelin are among them), which a stamp remembers.

/** @param {string} root */
export function contractsAreReady(root) {
  if (!existsSync(join(root, 'hardhat.config.ts'))) return true;
  const stamp = stampPath(root);
  if (!existsSync(join(root, 'artifacts', 'contracts')) || !existsSync(stamp)) return false;
  return readFileSync(stamp, 'utf8') === sourcesDigest(root);
}

/** @param {string} root @param {string} node */
export async function compileContracts(root, node) {
  const digest = sourcesDigest(root);
  await timed('compiling the contracts (hardhat build)', async () => {
    const hardhat = join(root, 'node_modules', 'hardhat', 'dist', 'src', 'cli.js');
    const { status, output } = await runJavaScript(node, [hardhat, 'build', '--no-tests'], { cwd: root });
    if (status !== 0) throw new SetupError('The contracts do not compile', { fix: 'see the compiler below', output });
  });
  mkdirSync(join(root, '.cache', 'setup'), { recursive: true });
  const incoming = `${stampPath(root)}.${process.pid}`;
  writeFileSync(incoming, digest);
  renameSync(incoming, stampPath(root));
}

/** @param {string} root */
function sourcesDigest(root) {
  const hash = createHash('sha256');
  for (const path of [...solidityFiles(root, 'contracts'), 'hardhat.config.ts', 'package-lock.json']) {
    const bytes = readFileSync(join(root, path));
    hash.update(`${path} ${bytes.length}\n`).update(bytes);
  }
  return `${hash.digest('hex')}\n`;
}

/** @param {string} root @param {string} folder @returns {string[]} */
function solidityFiles(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return solidityFiles(root, path);
      return entry.name.endsWith('.sol') ? [path] : [];
    });
}

/** @param {string} root */
function stampPath(root) {
  return join(root, '.cache', 'setup', 'contracts');
}

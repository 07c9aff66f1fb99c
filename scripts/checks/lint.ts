import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run lint`: form and habits of TypeScript and JSON (Biome) and of Solidity (solhint). Warnings fail, too.
 * Documentation and gas have their own checks, so solhint's opinions on them are off. `npm run format` repairs what can
 * be repaired.
 */
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const tools = [
  ['@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
  ['solhint/solhint.js', '--disc', '--noPoster', '--max-warnings', '0', 'contracts/**/*.sol'],
];
for (const [file = '', ...args] of tools) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', file), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}

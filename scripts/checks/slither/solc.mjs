#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

// What Slither takes for `solc`: the project's own compiler from npm behind the two calls that Slither makes,
// `solc --version` and `solc --standard-json`. Slither reads syntax trees only, so no bytecode is made: two seconds
// instead of a minute, and the places where it expects bytecode are empty.
const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

if (process.argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else {
  const input = JSON.parse(readFileSync(0, 'utf8'));
  input.settings.outputSelection = { '*': { '': ['ast'], '*': ['abi', 'userdoc', 'devdoc'] } };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readSource }));
  const none = { object: '', sourceMap: '' };
  for (const contracts of Object.values(output.contracts ?? {})) {
    for (const contract of Object.values(contracts)) contract.evm = { bytecode: none, deployedBytecode: none };
  }
  process.stdout.write(JSON.stringify(output));
}

/** @param {string} path */
function readSource(path) {
  for (const folder of [ROOT, join(ROOT, 'node_modules')]) {
    if (existsSync(join(folder, path))) return { contents: readFileSync(join(folder, path), 'utf8') };
  }
  return { error: `${path} is neither in the project nor in node_modules` };
}

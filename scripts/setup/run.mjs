#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileContracts, contractsAreReady } from './contracts.mjs';
import { withSetupLock } from './lock.mjs';
import { installPackages, packagesAreReady } from './packages.mjs';
import { SetupError, say } from './report.mjs';
import { installNode, readyNode } from './runtime.mjs';

// Every npm script of this project starts here, and so does the command `assay`: it brings what is missing (a Node that
// is new enough, the packages, the compiled contracts), then hands over. With all in place it is silent and takes a few
// dozen milliseconds.
//
//   node scripts/setup/run.mjs [--without-contracts] [FILE.ts | TOOL] [ARGUMENTS]
//
// FILE is relative to the project, TOOL one of node_modules/.bin; with neither, it only sets up.

const ROOT = dirname(dirname(dirname(realpathSync(fileURLToPath(import.meta.url)))));

/**
 * Sets up what is missing and returns the Node to use.
 * @param {{root?: string, contracts?: boolean}} options
 */
export async function setUp({ root = ROOT, contracts = true } = {}) {
  const isReady = () => readyNode(root) && packagesAreReady(root) && (!contracts || contractsAreReady(root));
  if (!isReady()) {
    await withSetupLock(join(root, '.runtime'), async () => {
      if (isReady()) return;
      say('preparing this folder (a minute or two the first time; later runs skip what is in place)');
      const node = readyNode(root) ?? (await installNode(root));
      if (!packagesAreReady(root)) await installPackages(root, node);
      if (contracts && !contractsAreReady(root)) await compileContracts(root, node);
    });
  }
  return readyNode(root);
}

/**
 * Sets up, runs a command of the project in the caller's folder, and ends as the command ends.
 * @param {string[]} argv
 */
export async function main(argv) {
  // Hardhat reports its use to a public host unless it is told not to; nothing here leaves the machine unasked.
  process.env.HARDHAT_DISABLE_TELEMETRY ??= 'true';
  const contracts = argv[0] !== '--without-contracts';
  const [command, ...args] = contracts ? argv : argv.slice(1);
  let node;
  try {
    node = await setUp({ contracts });
  } catch (error) {
    process.stderr.write(`\n${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exitCode = 1;
    return;
  }
  if (command === undefined) return say('everything is in place');
  const bins = [dirname(node), join(ROOT, 'node_modules', '.bin')];
  const env = { ...process.env, PATH: [...bins, process.env.PATH ?? ''].join(delimiter) };
  const isFile = /\.[cm]?[jt]s$/.test(command);
  const onWindows = process.platform === 'win32' && !isFile;
  const child = isFile
    ? spawn(node, [resolve(ROOT, command), ...args], { env, stdio: 'inherit' })
    : spawn(onWindows ? `${command}.cmd` : command, args, { env, stdio: 'inherit', shell: onWindows });
  handOver(child);
}

/** Passes signals down and the end up. @param {import('node:child_process').ChildProcess} child */
function handOver(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C on a terminal reaches the whole group by itself; passed on, it would arrive twice and mean "at once!".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.once('error', (error) => {
    process.stderr.write(`${child.spawnfile} could not be started: ${error.message}\n`);
    process.exit(127);
  });
  child.once('exit', (status, signal) => {
    if (signal === null) process.exit(status);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

// Stopped during the set-up: end by `exit`, which stops npm and lets go of the lock.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.once(signal, () => {
    if (process.listenerCount(signal) === 0) process.exit(status);
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    process.stderr.write(`Assay needs Node 20 or newer to set itself up; this is ${process.versions.node}.\n`);
    process.exitCode = 1;
  } else await main(process.argv.slice(2));
}

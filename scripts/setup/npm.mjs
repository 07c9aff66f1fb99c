import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { SetupError } from './report.mjs';

const LEASH = new URL('leash.mjs', import.meta.url).href;

/**
 * Runs npm under a Node of our choice (npm decides by the Node it runs on which optional packages fit, so Hardhat's
 * engine is left out without a word when Node 20 runs it), and turns its failures into one message.
 *
 * @param {string} node the Node to run npm with
 * @param {string[]} args
 * @param {{cwd: string}} options
 */
export async function runNpm(node, args, { cwd }) {
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=error'];
  const { status, output } = await runJavaScript(node, [findNpm(), ...args, ...quiet], {
    cwd,
    env: { ...withoutCallersNpm(process.env), PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
  });
  if (status !== 0) throw explain(args, output);
}

/**
 * Runs a JavaScript file to its end, its output kept; no stdin, so it can never wait for an answer.
 * @param {string} node @param {string[]} args @param {{cwd: string, env?: NodeJS.ProcessEnv}} options
 * @returns {Promise<{status: number | null, output: string}>}
 */
export function runJavaScript(node, args, { cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['--import', LEASH, ...args], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      windowsHide: true,
    });
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, output }));
  });
}

/** npm's own JavaScript file: the npm that called us, or the one beside our Node, or the one on the PATH. */
function findNpm() {
  const cli = 'npm-cli.js';
  const bins = (process.env.PATH ?? '').split(delimiter);
  const candidates = [
    process.env.npm_execpath?.replace(/np[mx]-cli\.js$/, cli),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', cli),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', cli),
    ...bins.map((bin) => (existsSync(join(bin, 'npm')) ? realpathSync(join(bin, 'npm')) : undefined)),
    ...bins.map((bin) => join(bin, 'node_modules', 'npm', 'bin', cli)),
  ];
  const found = candidates.find((path) => path?.endsWith(cli) && existsSync(path));
  if (found) return found;
  throw new SetupError('npm was not found', {
    expected: 'npm beside Node or on the PATH',
    fix: 'install npm (it comes with Node from https://nodejs.org), then run the command again',
  });
}

/**
 * The environment without what a calling `npm run` or `npx` set for itself: its options (another prefix, production
 * only, a dry run) are not meant for this installation. Registry, cache, proxy and certificates stay.
 * @param {NodeJS.ProcessEnv} env
 */
function withoutCallersNpm(env) {
  const foreign =
    /^npm_(package_|lifecycle_|command$|execpath$|config_(local_prefix|prefix|global|location|package|call|workspaces?|include_workspace_root|omit|include|only|also|production|optional|dev|dry_run|package_lock|package_lock_only|ignore_scripts|engine_strict|install_links|install_strategy|node_options|os|cpu|libc)$)/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name) && name !== 'NODE_ENV'));
}

/** @param {string[]} args @param {string} output */
function explain(args, output) {
  const causes = [
    [
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|network/i,
      'The npm registry cannot be reached',
      'check the network, or name a mirror: npm config set registry URL (proxies: npm config set https-proxy URL)',
    ],
    [/ENOSPC|EDQUOT/, 'The disk is full', 'free about 1 GB in this folder and in the npm cache (npm config get cache)'],
    [
      /EACCES|EPERM|EROFS/,
      'A folder may not be written to',
      'make this folder and the npm cache writable for this user',
    ],
    [
      /E401|E403|ENEEDAUTH/,
      'The npm registry refuses access',
      'log in to the registry, or use another: npm config set registry URL',
    ],
    [/EUSAGE|in sync/, 'package.json and package-lock.json do not belong together', 'run: npm install'],
    [
      /EINTEGRITY/,
      'A package that came is not the one in package-lock.json',
      'clear the cache (npm cache clean --force) and run again',
    ],
    [/E404|ETARGET/, 'The npm registry lacks a package', 'use a registry that has it: npm config set registry URL'],
  ];
  const [, summary, fix] = causes.find(([pattern]) => pattern.test(output)) ?? [
    null,
    'npm failed',
    'see what npm said below',
  ];
  return Object.assign(new SetupError(`${summary} (npm ${args[0]})`, { fix, output }), { npmOutput: output });
}

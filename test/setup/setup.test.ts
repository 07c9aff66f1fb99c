import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const SETUP = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'scripts', 'setup');

/** The set-up, on a small project whose one package is a folder beside it: no registry is asked. */
describe('set-up', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'assay-setup-'));
    await cp(SETUP, join(root, 'scripts', 'setup'), { recursive: true });
    await write('dep/package.json', { name: 'dep', version: '1.0.0' });
    await project('1.0.0');
    const echo = [
      'const args: string[] = process.argv.slice(2);',
      "if (args[0] === 'catch') process.on('SIGTERM', () => process.exit(21));",
      "console.log(['ran', ...args, process.cwd()].join(' '));",
      "if (args[0] === 'exit') process.exit(Number(args[1]));",
      "if (args[0] === 'wait') setInterval(() => {}, 1000);",
      "if (args[0] === 'catch') setInterval(() => {}, 1000);",
    ];
    await writeFile(join(root, 'scripts', 'echo.ts'), echo.join('\n'));
  });
  afterEach(() => rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

  it('installs what is missing and says so, then is silent; hands on arguments, folder and exit status', async () => {
    const first = await run(['scripts/echo.ts', 'exit', '7'], { cwd: join(root, 'dep') });
    expect(first.stderr).to.contain('installing the packages of package-lock.json');
    expect(first.stdout).to.equal(`ran exit 7 ${join(root, 'dep')}\n`);
    expect(first.status).to.equal(7);
    const second = await run(['scripts/echo.ts', 'exit', '0']);
    expect(second).to.deep.equal({ stdout: `ran exit 0 ${root}\n`, stderr: '', status: 0, signal: null });
    expect(await readdir(join(root, '.runtime'))).to.deep.equal([]);
  });

  it('installs again when the lock file changes, when a package is gone, when npm was stopped half-way', async () => {
    await run([]);
    await rm(join(root, 'node_modules', 'dep'), { recursive: true });
    expect((await run([])).stderr).to.contain('installing');
    expect((await run([])).stderr).not.to.contain('installing');
    await write('dep/package.json', { name: 'dep', version: '2.0.0' });
    await project('2.0.0');
    expect((await run([])).stderr).to.contain('installing');
    // npm writes its record last: without it, whatever lies in node_modules is not a finished installation.
    await rm(join(root, 'node_modules', '.package-lock.json'));
    expect((await run([])).stderr).to.contain('installing');
    expect((await run([])).stderr).to.equal('setup: everything is in place\n');
  });

  it('accepts an installation that npm made by itself', async () => {
    await run([]);
    await rm(join(root, 'node_modules', '.assay-setup'));
    expect((await run([])).stderr).to.equal('setup: everything is in place\n');
  });

  it('lets only one of several work at a time; the others wait and then need nothing', async () => {
    const all = await Promise.all([1, 2, 3].map((n) => run(['scripts/echo.ts', String(n)])));
    expect(all.map(({ status }) => status)).to.deep.equal([0, 0, 0]);
    expect(all.filter(({ stderr }) => stderr.includes('installing'))).to.have.length(1);
    expect(await readdir(join(root, '.runtime'))).to.deep.equal([]);
  });

  it('starts over after one that was killed', async () => {
    const child = start([]);
    await untilSays(child, 'installing');
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(await readdir(join(root, '.runtime'))).to.deep.equal(['setup.lock']);
    const next = await run(['scripts/echo.ts', 'a']);
    expect(next.stderr).to.contain('stopped half-way; starting over').and.to.contain('installing');
    expect(next.stdout).to.contain('ran a');
  });

  it('leaves no npm behind when it is killed', async () => {
    const silent = createServer(() => {}); // a registry that takes the question and never answers
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    await project('1.0.0', { 'left-out': '1.0.0' });
    const registry = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const child = start([], { env: { npm_config_registry: registry, npm_config_cache: join(root, 'cache') } });
    const [request] = (await once(silent, 'request')) as [IncomingMessage];
    child.kill('SIGKILL');
    await once(request.socket, 'close');
    silent.close();
  });

  it('lets go of the lock when it is told to stop', async () => {
    const child = start([]);
    await untilSays(child, 'installing');
    child.kill('SIGTERM');
    expect(await once(child, 'close')).to.deep.equal([143, null]);
    expect(await readdir(join(root, '.runtime'))).to.deep.equal([]);
  });

  it('passes signals to the command and ends as the command ends', async () => {
    await run([]);
    for (const [command, outcome] of [
      ['catch', [21, null]],
      ['wait', [null, 'SIGTERM']],
    ] as const) {
      const child = start(['scripts/echo.ts', command]);
      await untilSays(child, 'ran');
      child.kill('SIGTERM');
      expect(await once(child, 'close'), command).to.deep.equal(outcome);
    }
  });

  it('says what to do when the registry cannot be reached', async () => {
    await project('1.0.0', { 'left-out': '1.0.0' });
    const env = {
      npm_config_registry: 'http://127.0.0.1:9/',
      npm_config_fetch_retries: '0',
      npm_config_cache: join(root, 'cache'),
    };
    const { status, stderr, stdout } = await run(['scripts/echo.ts'], { env });
    expect(status).to.equal(1);
    expect(stdout).to.equal('');
    expect(stderr).to.contain('The npm registry cannot be reached').and.to.contain('npm config set registry');
    expect(stderr).not.to.match(/at .*\.mjs:\d+/);
  });

  it('says what to do when package.json and the lock file differ, and when the lock file is broken', async () => {
    const broken = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    await write('package.json', { ...broken, dependencies: { dep: 'file:dep', other: '1.0.0' } });
    expect((await run([])).stderr).to.contain('do not belong together');
    await writeFile(join(root, 'package-lock.json'), '{ "half": ');
    expect((await run([])).stderr)
      .to.contain('package-lock.json cannot be read')
      .and.to.contain('git checkout');
  });

  it('keeps Hardhat from reporting its use to a public host', async () => {
    await run([]);
    await writeFile(join(root, 'scripts', 'echo.ts'), 'console.log(process.env.HARDHAT_DISABLE_TELEMETRY);');
    expect((await run(['scripts/echo.ts'], { env: { HARDHAT_DISABLE_TELEMETRY: undefined } })).stdout).to.equal(
      'true\n',
    );
  });

  it('names a tool that is not there', async () => {
    const { status, stderr } = await run(['no-such-tool']);
    expect(status).to.equal(127);
    expect(stderr).to.contain('no-such-tool could not be started');
  });

  async function write(file: string, json: unknown): Promise<void> {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), JSON.stringify(json));
  }

  /** package.json and lock file that want `dep` in a version, and packages of a registry. */
  async function project(version: string, fromRegistry: Record<string, string> = {}): Promise<void> {
    const dependencies = { dep: 'file:dep', ...fromRegistry };
    const entries = Object.entries(fromRegistry).map(([name, wanted]) => [`node_modules/${name}`, { version: wanted }]);
    const packages = {
      '': { name: 'project', version: '1.0.0', dependencies },
      dep: { version },
      'node_modules/dep': { resolved: 'dep', link: true },
      ...Object.fromEntries(entries),
    };
    await write('package.json', { name: 'project', version: '1.0.0', type: 'module', dependencies });
    await write('package-lock.json', {
      name: 'project',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages,
    });
  }

  function start(
    args: string[],
    { cwd = root, env = {} }: { cwd?: string; env?: Record<string, string | undefined> } = {},
  ) {
    return spawn(process.execPath, [join(root, 'scripts', 'setup', 'run.mjs'), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function run(args: string[], options = {}) {
    const child = start(args, options);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const [status, signal] = await once(child, 'close');
    return { stdout, stderr, status, signal };
  }

  function untilSays(child: ReturnType<typeof start>, word: string): Promise<void> {
    return new Promise((resolve, reject) => {
      let text = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          text += chunk;
          if (text.includes(word)) resolve();
        });
      }
      child.once('close', () => reject(new Error(`ended without saying "${word}":\n${text}`)));
    });
  }
});

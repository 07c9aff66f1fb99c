import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, printSummary, ROOT, runCheck, runMocha, runSolidity } from './suites.ts';

/**
 * What `.ci/run` runs. Every test counts, every check counts as one test; a suite that needs a tool this machine cannot
 * get is skipped with one line that says so. The counts go to the file named by the first argument.
 */
const started = Date.now();
const LIMIT_MINUTES = 38;
const minutesLeft = () => LIMIT_MINUTES - (Date.now() - started) / 60_000;

const node = (file: string, ...args: string[]) => [file, args] as const;
const CHECKS = {
  lint: node('scripts/checks/lint.ts'),
  typecheck: node('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'),
  layers: node('scripts/checks/layers.ts'),
  'check:lock': node('scripts/checks/lockFile.ts'),
  'check:kernels': node('scripts/kernels/build.ts', '--check'),
  'check:abi': node('scripts/generateAbi.ts', '--check'),
  'check:properties': node('scripts/checks/properties.ts'),
  'check:docs': node('scripts/checks/docs.ts'),
  'check:static': node('scripts/checks/staticAnalysis.ts'),
};

const outcomes: Outcome[] = [];
for (const [name, [file, args]] of Object.entries(CHECKS)) {
  title(name);
  outcomes.push(await runCheck(name, file, args));
}
title('solidity tests');
outcomes.push(await runSolidity({ limitSeconds: 60 * Math.max(1, minutesLeft()) }));
title('mocha');
const patterns = ['test/**/*.test.ts', '!test/kubo/', '!test/browser/', '!test/node22/', '!test/pytorch/'];
outcomes.push(await runMocha('mocha', patterns, { limitSeconds: 60 * Math.max(1, minutesLeft()) }));
title('anvil');
// The scenarios once more, on an independent implementation of the chain.
const onAnvil = { env: { ASSAY_CHAIN: 'anvil' }, limitSeconds: 60 * Math.max(1, minutesLeft()) };
outcomes.push(await runMocha('anvil', ['test/scenarios/**/*.test.ts'], onAnvil));
title('other engines');
// The kernels to the bit in Chromium and in the V8 of Node 22; each says so itself where there is none.
for (const name of ['browser', 'node22']) {
  outcomes.push(await runMocha(name, [`test/${name}/**/*.test.ts`], { limitSeconds: 400 }));
}
title('python');
// Trainers in Python, each where its packages are: every test says itself what is missing.
if (process.env.ASSAY_PYTHON === undefined) {
  preparePython('python.sh', 'numpy and Flower');
  preparePython('pytorch.sh', 'PyTorch');
}
outcomes.push(await runMocha('pytorch', ['test/pytorch/**/*.test.ts'], { limitSeconds: 400 }));
title('kubo');
const ipfs = kubo();
if (ipfs !== undefined) {
  const env = { ASSAY_IPFS_BIN: ipfs, ASSAY_REQUIRE_KUBO: '1' };
  outcomes.push(await runMocha('kubo', ['test/kubo/**/*.test.ts'], { env, limitSeconds: 300 }));
}

const { passed, failed } = printSummary(outcomes);
const countsFile = process.argv[2];
if (countsFile !== undefined) writeFileSync(countsFile, `${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

/**
 * The real IPFS daemon: the one named, the one on the PATH, or one built by `.ci/kubo.sh` where Go can reach its proxy.
 */
function kubo(): string | undefined {
  if (!existsSync(join(ROOT, 'test', 'kubo'))) return skip('kubo: there are no tests in test/kubo');
  const named = process.env.ASSAY_IPFS_BIN;
  if (named !== undefined) return named;
  if (spawnSync('ipfs', ['--version'], { stdio: 'ignore' }).status === 0) return 'ipfs';
  const timeout = Math.floor(Math.min(15, minutesLeft() - 6) * 60_000);
  if (timeout <= 0) return skip('kubo: no time left to build the daemon');
  const { status, stdout, stderr } = spawnSync(join(ROOT, '.ci', 'kubo.sh'), {
    encoding: 'utf8',
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 26,
  });
  const built = stdout?.trim().split('\n').at(-1);
  if (status === 0 && built) return built;
  return skip(`kubo: no IPFS daemon here (${stderr?.trim().split('\n').at(-1) || 'the build took too long'})`);
}

/** Has a script of `.ci` make a Python with what the trainers need; a test that misses it is skipped. */
function preparePython(script: string, packages: string): void {
  const { status, stderr } = spawnSync(join(ROOT, '.ci', script), {
    encoding: 'utf8',
    timeout: Math.max(1, Math.min(180, 60 * (minutesLeft() - 4))) * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) skip(`${packages}: ${stderr?.trim().split('\n').at(-1) || 'they took too long'}`);
}

function skip(why: string): undefined {
  console.log(`skipped: ${why}`);
  return undefined;
}

function title(name: string): void {
  console.log(`\n== ${name}`);
}

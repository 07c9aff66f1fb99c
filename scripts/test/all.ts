import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Outcome, printSummary, ROOT, runMocha, runSolidity, type SuiteOptions } from './suites.ts';

/** Loads the delays into mocha's process and all that it starts. */
const DELAYS = `--import=${pathToFileURL(join(ROOT, 'test', 'scenarios', 'support', 'delays.ts')).href}`;
const SCENARIOS = ['test/scenarios/**/*.test.ts'];

/**
 * `npm test`: the whole mocha suite and the Solidity tests.
 *
 *     npm test                                    everything but what needs more than Node (test/kubo, test/browser, test/node22, test/pytorch)
 *     npm test -- test/storage/car.test.ts        some files (or glob patterns)
 *     npm test -- --grep copycat                  what mocha's own options select
 *     npm test -- --only mocha|contracts|solidity|anvil|delays|kubo|browser|node22|pytorch
 */
const SUITES = {
  mocha: () => mocha(['test/**/*.test.ts', '!test/kubo/', '!test/browser/', '!test/node22/', '!test/pytorch/']),
  contracts: () => mocha(['test/contracts/**/*.test.ts'], 'contracts'),
  solidity: () => runSolidity(),
  anvil: () => mocha(SCENARIOS, 'anvil', { env: { ASSAY_CHAIN: 'anvil' } }),
  // As often as one likes: each run is another order of events.
  delays: () => mocha(SCENARIOS, 'delays', { env: { ASSAY_CHAIN: 'anvil', NODE_OPTIONS: DELAYS }, limitSeconds: 7200 }),
  browser: () => mocha(['test/browser/**/*.test.ts'], 'browser'),
  node22: () => mocha(['test/node22/**/*.test.ts'], 'node22'),
  pytorch: () => mocha(['test/pytorch/**/*.test.ts'], 'pytorch'),
  kubo: () => mocha(['test/kubo/**/*.test.ts'], 'kubo', { env: { ASSAY_REQUIRE_KUBO: '1' } }),
};

const args = process.argv.slice(2);
const at = args.indexOf('--only');
const only = at < 0 ? undefined : args.splice(at, 2)[1];
const patterns = args.filter((arg) => /\.test\.ts$/.test(arg));
const mochaArgs = args.filter((arg) => !patterns.includes(arg));

function mocha(defaults: readonly string[], name = 'mocha', options: SuiteOptions = {}): Promise<Outcome> {
  return runMocha(name, patterns.length > 0 ? patterns : defaults, { args: mochaArgs, ...options });
}

const selected = choose();
if (selected === undefined) {
  console.error(`There is no suite '${only}'\n  Expected: ${Object.keys(SUITES).join(', ')}`);
  process.exitCode = 2;
} else {
  const outcomes: Outcome[] = [];
  for (const name of selected) outcomes.push(await SUITES[name]());
  const { failed } = printSummary(outcomes);
  process.exitCode = failed > 0 ? 1 : 0;
}

function choose(): Array<keyof typeof SUITES> | undefined {
  if (only === 'contracts') return args.length > 0 ? ['contracts'] : ['solidity', 'contracts'];
  if (only !== undefined) return only in SUITES ? [only as keyof typeof SUITES] : undefined;
  return args.length > 0 ? ['mocha'] : ['mocha', 'solidity'];
}

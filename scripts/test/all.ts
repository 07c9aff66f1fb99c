import { type Outcome, printSummary, runMocha, runSolidity } from './suites.ts';

/**
 * `npm test`: the whole mocha suite and the Solidity tests.
 *
 *     npm test                                    everything but what needs more than Node (test/kubo, test/browser, test/node22, test/pytorch)
 *     npm test -- test/storage/car.test.ts        some files (or glob patterns)
 *     npm test -- --grep copycat                  what mocha's own options select
 *     npm test -- --only mocha|contracts|solidity|anvil|kubo|browser|node22|pytorch
 */
const SUITES = {
  mocha: () => mocha(['test/**/*.test.ts', '!test/kubo/', '!test/browser/', '!test/node22/', '!test/pytorch/']),
  contracts: () => mocha(['test/contracts/**/*.test.ts'], 'contracts'),
  solidity: () => runSolidity(),
  anvil: () =>
    runMocha('anvil', patterns.length > 0 ? patterns : ['test/scenarios/**/*.test.ts'], {
      args: mochaArgs,
      env: { ASSAY_CHAIN: 'anvil' },
    }),
  browser: () => mocha(['test/browser/**/*.test.ts'], 'browser'),
  node22: () => mocha(['test/node22/**/*.test.ts'], 'node22'),
  pytorch: () => mocha(['test/pytorch/**/*.test.ts'], 'pytorch'),
  kubo: () => runMocha('kubo', ['test/kubo/**/*.test.ts'], { args: mochaArgs, env: { ASSAY_REQUIRE_KUBO: '1' } }),
};

const args = process.argv.slice(2);
const at = args.indexOf('--only');
const only = at < 0 ? undefined : args.splice(at, 2)[1];
const patterns = args.filter((arg) => /\.test\.ts$/.test(arg));
const mochaArgs = args.filter((arg) => !patterns.includes(arg));

function mocha(defaults: readonly string[], name = 'mocha'): Promise<Outcome> {
  return runMocha(name, patterns.length > 0 ? patterns : defaults, { args: mochaArgs });
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

import { createRequire } from 'node:module';
import hardhatIgnitionViem from '@nomicfoundation/hardhat-ignition-viem';
import hardhatViem from '@nomicfoundation/hardhat-viem';
import { defineConfig } from 'hardhat/config';

const require = createRequire(import.meta.url);

// The compiler comes from npm, not from a download: builds work behind a hospital's firewall.
const compiler = { version: '0.8.37', path: require.resolve('solc/soljson.js') };
const settings = { viaIR: true, evmVersion: 'cancun' };

export default defineConfig({
  plugins: [hardhatViem, hardhatIgnitionViem],
  paths: { sources: './contracts', tests: { solidity: './test/contracts/solidity' } },
  solidity: {
    compilers: [{ ...compiler, settings: { ...settings, optimizer: { enabled: true, runs: 200 } } }],
    // Code that only drives the tests: half the time to compile, and it runs no slower than the tests need.
    overrides: Object.fromEntries(
      ['JusticeInvariants.t', 'JusticeHandler', 'JusticeWorld', 'JusticeLedger', 'TinyFederation'].map((name) => [
        `test/contracts/solidity/${name}.sol`,
        { ...compiler, settings: { ...settings, optimizer: { enabled: false } } },
      ]),
    ),
  },
  networks: {
    // In-process chain of the tests: 31337, a block per transaction, time under the test's control.
    default: { type: 'edr-simulated', chainId: 31337, accounts: { count: 40 }, allowBlocksWithSameTimestamp: true },
    // `hardhat node`: a block per transaction and one every second, so that deadlines pass when nobody sends anything.
    node: {
      type: 'edr-simulated',
      chainId: 31337,
      accounts: { count: 40 },
      mining: { auto: true, interval: 1000 },
      allowBlocksWithSameTimestamp: true,
    },
  },
  test: { solidity: { fuzz: { runs: 256, seed: '0xa55a' }, invariant: { runs: 16, depth: 80, failOnRevert: false } } },
});

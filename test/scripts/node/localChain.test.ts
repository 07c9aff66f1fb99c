import { expect } from 'chai';
import type { Connection } from '../../../chain/rpc.ts';
import { chosenChainEngine, fundFromLocalChain } from '../../../scripts/node/localChain.ts';
import { expectError } from '../../client/support/expectError.ts';

const POOR = '0x00000000000000000000000000000000000000AA';

/** A chain whose first account has 10 wei; anything but its balance must not be asked for. */
const connection = {
  chainId: 31337,
  options: { rpcUrl: 'http://127.0.0.1:9' },
  publicClient: { getBalance: async () => 10n },
} as unknown as Connection;

describe('scripts node: ether of the local chain', () => {
  it('more than the chain has is refused before anything is sent: to one account, or to many', async () => {
    for (const [accounts, wei] of [
      [[POOR], 10n],
      [[POOR, POOR, POOR], 4n],
    ] as const) {
      await expectError(
        () => fundFromLocalChain(connection, accounts, wei),
        'CHAIN_FUNDS',
        /Expected: less than 0\.00000000000000001 ether[\s\S]*To do: .*--amount/,
      );
    }
  });

  it('a chain that is no development chain is refused', async () => {
    const error = await fundFromLocalChain({ ...connection, chainId: 1 }, [POOR], 1n).catch((thrown) => thrown);
    expect(error).to.include({ code: 'NOT_A_LOCAL_CHAIN' });
  });
});

describe('scripts node: which program is the local chain', () => {
  it("Hardhat's unless another one is named, which must be known", async () => {
    expect(['', 'hardhat', 'anvil'].map((name) => chosenChainEngine(name))).to.deep.equal([
      'hardhat',
      'hardhat',
      'anvil',
    ]);
    await expectError(() => chosenChainEngine('ganache'), 'CHAIN_ENGINE', /hardhat or anvil[\s\S]*Received: ganache/);
  });
});

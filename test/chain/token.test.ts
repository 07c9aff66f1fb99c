/** A federation that is paid in a token: nodes stake, post bonds and prove with it, and need coin for gas only. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { type Abi, type Address, type Hex, parseAbi } from 'viem';
import { creditOf, fundRewards, rewardPool, withdrawCredit } from '../../chain/rewards.ts';
import type { Signer } from '../../chain/rpc.ts';
import { sendTransaction } from '../../chain/transaction.ts';
import { understated } from '../aggregator/support/lies.ts';
import { expectError } from '../client/support/expectError.ts';
import {
  commitByHand,
  openDesk,
  startAggregator,
  startParticipant,
  untilPhase,
} from '../scenarios/support/inProcess.ts';
import { ETHER, SLOW_MACHINE_MS, useWorld, type World } from '../scenarios/support/world.ts';

const TOKEN_ABI = parseAbi([
  'function mint(address to, uint256 amount)',
  'function balanceOf(address account) view returns (uint256)',
]);

describe('nodes: a federation in a token', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  async function deployToken(signer: Signer): Promise<Address> {
    const path = new URL('../../artifacts/contracts/mocks/TestToken.sol/TestToken.json', import.meta.url);
    const { abi, bytecode } = JSON.parse(await readFile(path, 'utf8')) as { abi: Abi; bytecode: Hex };
    const hash = await signer.wallet.deployContract({ abi, bytecode, args: [] });
    const receipt = await world.connection.publicClient.waitForTransactionReceipt({ hash });
    return receipt.contractAddress!;
  }

  it('is staked in, proven with and rewarded in it; whoever has none cannot register', async () => {
    const bank = await world.signer();
    const token = await deployToken(bank);
    const rich = async (): Promise<Signer> => {
      const signer = await world.signer();
      const args = [signer.account.address, 20n * ETHER];
      await sendTransaction(world.connection, bank, { address: token, abi: TOKEN_ABI, functionName: 'mint', args });
      return signer;
    };
    const balance = ({ account }: Signer) =>
      world.connection.publicClient.readContract({
        address: token,
        abi: TOKEN_ABI,
        functionName: 'balanceOf',
        args: [account.address],
      });

    const fed = await world.federation({ participants: 3, rounds: 1, stakeToken: token, roundReward: ETHER });
    await expectError(() => openDesk(world, fed, 'participant'), 'UNFUNDED', /in the federation's token/);
    const sponsor = await rich();
    await fundRewards(fed.federation, sponsor, 2n * ETHER);
    expect(await rewardPool(fed.federation)).to.equal(2n * ETHER);

    const liar = await openDesk(world, fed, 'participant', { signer: await rich() });
    for (let i = 0; i < 2; i++) await startParticipant(world, fed, { signer: await rich() });
    const signer = await rich();
    const aggregator = await startAggregator(world, fed, { signer });
    expect(await balance(signer), 'the stake').to.equal(10n * ETHER);
    await untilPhase(fed, 1, 'commit');
    await (
      await commitByHand(
        liar,
        1,
        understated(fed, (i) => (i % 50) - 20),
      )
    ).reveal();
    await aggregator.waitFor('convicted', 1);
    await aggregator.waitFor('rewarded', 1);
    const before = await balance(signer);
    const credit = await creditOf(fed.federation, signer.account.address);
    expect(credit >= ETHER / 2n + ETHER / 10n, `${credit}: half the stake, and the bond`).to.equal(true);
    await withdrawCredit(fed.federation, signer);
    expect((await balance(signer)) - before).to.equal(credit);
  });
});

/** `assay rewards`: the pool that final rounds are paid from, and what an account has earned. */
import type { Command } from 'commander';
import { RewardDesk } from '../../aggregator/distributeRewards.ts';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { Federation } from '../../chain/federation.ts';
import { creditOf, fundRewards, reclaimRewards, rewardPool, withdrawCredit } from '../../chain/rewards.ts';
import type { Signer } from '../../chain/rpc.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { openStateFolder } from '../../storage/stateFolder.ts';
import { openChain, openSigner } from '../node/openNode.ts';
import { nodePayloads } from '../node/sources.ts';
import { withConfigFile } from '../options/configFile.ts';
import {
  type ChainOptions,
  type FactsOptions,
  type KeyOptions,
  type SourceOptions,
  withChain,
  withFacts,
  withKey,
  withSources,
} from '../options/shared.ts';
import { ether } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';
import { describeAggregatorEvent } from '../output/nodeLog.ts';
import { eth } from '../output/text.ts';

interface RewardsOptions extends ChainOptions, KeyOptions, FactsOptions {
  readonly federation: string;
  readonly state: string;
}

const EXAMPLES = `
Examples:
  $ assay rewards fund --federation 0x5FbD.. --state nodes/sponsor --amount 5
  $ assay rewards distribute --federation 0x5FbD.. --state nodes/north
  $ assay rewards withdraw --federation 0x5FbD.. --state nodes/north

An aggregator's node distributes the rewards of final rounds by itself. Everything that an account earns (rewards, bonds, a
challenger's half of a slashed stake) is credited to it, and paid when it asks: withdraw.`;

export function addRewardsCommand(program: Command): void {
  const rewards = program
    .command('rewards')
    .description('Fund the reward pool, distribute the rewards of final rounds, withdraw what an account has earned.');
  rewards.addHelpText('after', EXAMPLES);
  withRewards(rewards, 'fund', 'Add to the pool that final rounds are paid from; anybody may.')
    .requiredOption('--amount <ether>', 'how much', ether)
    .action(fund);
  withSources(withRewards(rewards, 'distribute', 'Credit the rewards of all final rounds to who earned them.')).action(
    distribute,
  );
  withRewards(rewards, 'withdraw', 'Pay out what the account has earned.').action(withdraw);
  withRewards(rewards, 'reclaim', "The owner's: take back what is left in the pool after the last round.").action(
    reclaim,
  );
}

function withRewards(rewards: Command, name: string, description: string): Command {
  return withFacts(withConfigFile(withKey(withChain(rewards.command(name)))))
    .description(description)
    .requiredOption('--federation <address>', 'address of the federation')
    .requiredOption('--state <folder>', 'state folder with the key that signs');
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function open(options: RewardsOptions): Promise<{ federation: Federation; signer: Signer }> {
  const connection = await openChain(options, say);
  const federation = await Federation.at(connection, options.federation);
  return { federation, signer: await openSigner(connection, options, options.state) };
}

async function fund(options: RewardsOptions & { amount: bigint }): Promise<void> {
  const { federation, signer } = await open(options);
  const { hash } = await fundRewards(federation, signer, options.amount);
  const pool = await rewardPool(federation);
  say(`added ${eth(options.amount)} in ${hash}; the pool holds ${eth(pool)}`);
  const amounts = { amountWei: options.amount, poolWei: pool };
  await writeFacts(options.json, { command: 'rewards fund', transaction: hash, ...amounts });
}

async function distribute(options: RewardsOptions & SourceOptions): Promise<void> {
  const { federation, signer } = await open(options);
  const state = await openStateFolder(options.state, { owner: 'assay rewards distribute' });
  try {
    const store = await openPayloadStore(state.file('payloads'));
    const payloads = await nodePayloads(federation, store, options, undefined, say);
    const events: AggregatorEvent[] = [];
    const report = (event: AggregatorEvent): void => {
      events.push(event);
      say(describeAggregatorEvent(event) ?? event.type);
    };
    const { signal } = new AbortController();
    const desk = new RewardDesk({ federation, signer, state, payloads, report, signal });
    await desk.attend(await federation.lastFinalRound());
    const rounds = events.flatMap((event) => (event.type === 'rewarded' ? [event.round] : []));
    say(rounds.length === 0 ? 'nothing to distribute' : `distributed the rewards of ${rounds.length} rounds`);
    await writeFacts(options.json, { command: 'rewards distribute', rounds });
  } finally {
    await state.close();
  }
}

async function withdraw(options: RewardsOptions): Promise<void> {
  const { federation, signer } = await open(options);
  const account = signer.account.address;
  const credit = await creditOf(federation, account);
  if (credit === 0n) {
    say(`${account} has nothing to withdraw`);
    return writeFacts(options.json, { command: 'rewards withdraw', account, amountWei: 0n });
  }
  const { hash } = await withdrawCredit(federation, signer);
  say(`withdrew ${eth(credit)} in ${hash}`);
  await writeFacts(options.json, { command: 'rewards withdraw', account, amountWei: credit, transaction: hash });
}

async function reclaim(options: RewardsOptions): Promise<void> {
  const { federation, signer } = await open(options);
  const { hash } = await reclaimRewards(federation, signer);
  say(`took back what was left in the pool in ${hash}`);
  await writeFacts(options.json, { command: 'rewards reclaim', transaction: hash });
}

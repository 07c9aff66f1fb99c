/** `assay status`: where a federation stands. */
import type { Command } from 'commander';
import { formatGwei, zeroAddress } from 'viem';
import { Federation } from '../../chain/federation.ts';
import { rewardPool } from '../../chain/rewards.ts';
import { ruleName } from '../../protocol/aggregation/rule.ts';
import { NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { openChain } from '../node/openNode.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type ChainOptions, type FactsOptions, withChain, withFacts } from '../options/shared.ts';
import { writeFacts } from '../output/facts.ts';
import { eth, percent, table } from '../output/text.ts';

const EXAMPLES = `
Examples:
  $ assay status --federation 0x5FbD..
  $ assay status --federation 0x5FbD.. --json status.json`;

export function addStatusCommand(program: Command): void {
  withFacts(withConfigFile(withChain(program.command('status'))))
    .description('Show where a federation stands: parameters, members, rounds.')
    .requiredOption('--federation <address>', 'address of the federation')
    .addHelpText('after', EXAMPLES)
    .action(runStatus);
}

async function runStatus(options: ChainOptions & FactsOptions & { federation: string }): Promise<void> {
  const connection = await openChain(options, (text) => process.stderr.write(`${text}\n`));
  const federation = await Federation.at(connection, options.federation);
  const { parameters } = federation;
  const [current, lastFinalRound, gateways, aggregators, count, pool] = await Promise.all([
    federation.currentRound(),
    federation.lastFinalRound(),
    federation.gateways(),
    federation.aggregators(),
    federation.participantCount(),
    rewardPool(federation),
  ]);
  const round = current === 0 ? null : await federation.round(current);
  const indices = Array.from({ length: count }, (_, index) => index);
  const participants = (await Promise.all(indices.map((index) => federation.participantAt(index)))).filter(
    (participant) => participant !== null,
  );
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  say(`federation  ${federation.address} on chain ${connection.chainId}`);
  say(
    `rule        ${ruleName(parameters.rule)}, f = ${parameters.rule.byzantine}; server ${parameters.serverStep.optimizer}; ${parameters.dimension} parameters; norm ${normText(parameters)}`,
  );
  say(
    round === null
      ? `round       none yet: ${participants.length} of ${parameters.minParticipants} participants, ${aggregators.length} aggregators`
      : `round       ${round.number}${parameters.totalRounds === 0 ? '' : ` of ${parameters.totalRounds}`}, ${round.phase}: ${round.committed} committed, ${round.revealed} revealed of ${round.expected}; ${lastFinalRound} final`,
  );
  for (const line of moneyLines(parameters, pool)) say(line);
  if (round?.phase === 'aggregate') say(`leader      ${round.leader}, turn ${round.turn}`);
  say('');
  const rows = [
    ...aggregators.map(({ account, stake }) => ['aggregator', account, eth(stake), gateways.get(account) ?? '']),
    ...participants.map(({ index, account, stake, active }) => [
      `participant ${index}${active ? '' : ' (inactive)'}`,
      account,
      eth(stake),
      gateways.get(account) ?? '',
    ]),
  ];
  for (const line of table([['role', 'account', 'stake', 'gateway'], ...rows])) say(line);
  await writeFacts(options.json, {
    command: 'status',
    chainId: connection.chainId,
    federation: federation.address,
    parameters,
    currentRound: current,
    lastFinalRound,
    round,
    aggregators,
    participants,
    rewardPool: pool,
    gateways,
  });
}

/** What a lie costs, how long it can be found, and what honest work is paid. */
function moneyLines(parameters: Federation['parameters'], pool: bigint): string[] {
  const { stakeToken, roundReward } = parameters;
  const share = (bps: number): string => percent(bps / 10_000, bps % 100 === 0 ? 0 : 2);
  const rewards =
    roundReward === 0n
      ? 'no rewards'
      : `rewards ${eth(roundReward)} a round, ${share(parameters.aggregatorRewardBps)} of it to the aggregator, ${share(parameters.contributionRewardBps)} of the rest by contribution; ${eth(pool)} in the pool`;
  return [
    `windows     commit ${seconds(parameters.commitWindowSeconds)}, reveal ${seconds(parameters.revealWindowSeconds)}, aggregate ${seconds(parameters.aggregateWindowSeconds)}, challenge ${seconds(parameters.challengeWindowSeconds)}, answer ${seconds(parameters.answerWindowSeconds)}, withdrawal ${seconds(parameters.withdrawalDelaySeconds)}`,
    `money       ${stakeToken === zeroAddress ? 'native coin' : `token ${stakeToken}`}; proof bond ${eth(parameters.proofBond)}, answers at ${formatGwei(parameters.bondGasPrice)} gwei; ${rewards}`,
  ];
}

function seconds(count: number): string {
  if (count % 3600 === 0 && count > 0) return `${count / 3600} h`;
  return count % 60 === 0 && count > 0 ? `${count / 60} min` : `${count} s`;
}

function normText({ normSqBound, updateFractionBits }: Federation['parameters']): string {
  if (normSqBound === NO_NORM_BOUND) return 'unbounded';
  return `at most ${(Math.sqrt(Number(normSqBound)) / 2 ** updateFractionBits).toPrecision(3)}`;
}

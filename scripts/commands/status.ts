/** `assay status`: where a federation stands. */
import type { Command } from 'commander';
import { Federation } from '../../chain/federation.ts';
import { ruleName } from '../../protocol/aggregation/rule.ts';
import { NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { openChain } from '../node/openNode.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type ChainOptions, type FactsOptions, withChain, withFacts } from '../options/shared.ts';
import { writeFacts } from '../output/facts.ts';
import { eth, table } from '../output/text.ts';

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
  const [current, lastFinalRound, gateways, aggregators, count] = await Promise.all([
    federation.currentRound(),
    federation.lastFinalRound(),
    federation.gateways(),
    federation.aggregators(),
    federation.participantCount(),
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
    gateways,
  });
}

function normText({ normSqBound, updateFractionBits }: Federation['parameters']): string {
  if (normSqBound === NO_NORM_BOUND) return 'unbounded';
  return `at most ${(Math.sqrt(Number(normSqBound)) / 2 ** updateFractionBits).toPrecision(3)}`;
}

/** `assay leave`: out of a federation, with the stake. */
import { type Command, Option } from 'commander';
import { Federation, type Role } from '../../chain/federation.ts';
import { creditOf, withdrawCredit } from '../../chain/rewards.ts';
import { AssayError } from '../../protocol/errors.ts';
import { openChain, openSigner } from '../node/openNode.ts';
import { withConfigFile } from '../options/configFile.ts';
import {
  type ChainOptions,
  type FactsOptions,
  type KeyOptions,
  withChain,
  withFacts,
  withKey,
} from '../options/shared.ts';
import { oneOf } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';
import { eth } from '../output/text.ts';

interface LeaveOptions extends ChainOptions, KeyOptions, FactsOptions {
  readonly federation: string;
  readonly state: string;
  readonly role: Role;
}

const EXAMPLES = `
Examples:
  $ assay leave --federation 0x5FbD.. --state nodes/north
  $ assay leave --federation 0x5FbD.. --state nodes/aggregator --role aggregator

The first call asks to leave; the stake stays until every round it answers for is final and the withdrawal delay is over.
Call it again then: it says from when.`;

export function addLeaveCommand(program: Command): void {
  withFacts(withConfigFile(withKey(withChain(program.command('leave')))))
    .description('Leave a federation and withdraw the stake, as soon as it no longer answers for anything.')
    .requiredOption('--federation <address>', 'address of the federation')
    .requiredOption('--state <folder>', 'state folder of the node')
    .addOption(
      new Option('--role <role>', 'role to give up')
        .argParser(oneOf('participant', 'aggregator'))
        .default('participant'),
    )
    .addHelpText('after', EXAMPLES)
    .action(runLeave);
}

async function runLeave(options: LeaveOptions): Promise<void> {
  const { role } = options;
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`);
  };
  const connection = await openChain(options, say);
  const federation = await Federation.at(connection, options.federation);
  const signer = await openSigner(connection, options, options.state);
  const account = signer.account.address;
  const read = () => (role === 'participant' ? federation.participant(account) : federation.aggregator(account));
  const before = await read();
  if (before === null) {
    throw new AssayError('NOT_REGISTERED', {
      summary: `${account} is no ${role} of this federation`,
      expected: `a registered ${role}`,
      fix: 'check --state and --role',
    });
  }
  if (before.exitRequestedAt === 0n) {
    const { hash } = await federation.requestExit(signer, role);
    say(`asked to leave in ${hash}`);
  }
  const requestedAt = Number((await read())?.exitRequestedAt ?? before.exitRequestedAt);
  const facts = { command: 'leave', account, role, stakeWei: before.stake };
  try {
    const { hash } = await federation.withdraw(signer, role);
    say(`withdrew ${eth(before.stake)} in ${hash}`);
    const credit = await creditOf(federation, account);
    if (credit > 0n) {
      const paid = await withdrawCredit(federation, signer);
      say(`withdrew ${eth(credit)} of rewards and bonds in ${paid.hash}`);
    }
    await writeFacts(options.json, { ...facts, withdrawn: true, transaction: hash });
  } catch (error) {
    if (!(error instanceof AssayError) || !WAITS.has(error.code)) throw error;
    const earliest = new Date(1000 * (requestedAt + federation.parameters.withdrawalDelaySeconds)).toISOString();
    const reason =
      error.code === 'REVERT_StakeAtRisk'
        ? 'it answers for a round that is not final yet'
        : `the delay lasts until ${earliest}`;
    say(`the stake of ${eth(before.stake)} stays for now: ${reason}; call this again later`);
    await writeFacts(options.json, { ...facts, withdrawn: false, reason });
  }
}

const WAITS = new Set(['REVERT_StakeAtRisk', 'REVERT_WithdrawalTooEarly']);

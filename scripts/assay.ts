/** The command `assay`. Each subcommand is a file in `commands/`; this one only puts them together and ends rightly. */
import { Command, CommanderError } from 'commander';
import { addAggregatorCommand } from './commands/aggregator.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addChainCommand } from './commands/chain.ts';
import { addClientCommand } from './commands/client.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDeployCommand } from './commands/deploy.ts';
import { addDisputeCommand } from './commands/dispute.ts';
import { addExportCommand } from './commands/export.ts';
import { addGenerateCommand } from './commands/generate.ts';
import { addKeysCommand } from './commands/keys.ts';
import { addLeaveCommand } from './commands/leave.ts';
import { addModelCommand } from './commands/model.ts';
import { addRewardsCommand } from './commands/rewards.ts';
import { addSimulateCommand } from './commands/simulate.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTokenizerCommand } from './commands/tokenizer.ts';
import { addTrainerCommand } from './commands/trainer.ts';
import { addWatchCommand } from './commands/watch.ts';
import { failureText } from './output/failure.ts';

const program = new Command('assay')
  .description('Verifiable federated learning: every round can be replayed to the last bit, by anyone.')
  .version('0.1.0')
  .showHelpAfterError('(add --help for the options and examples)')
  .configureHelp({ sortSubcommands: false, showGlobalOptions: true });

addDemoCommand(program);
addSimulateCommand(program);
addChainCommand(program);
addKeysCommand(program);
addDeployCommand(program);
addAggregatorCommand(program);
addClientCommand(program);
addAuditCommand(program);
addDisputeCommand(program);
addTokenizerCommand(program);
addTrainerCommand(program);
addWatchCommand(program);
addExportCommand(program);
addStatusCommand(program);
addModelCommand(program);
addGenerateCommand(program);
addLeaveCommand(program);
addRewardsCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`${failureText(error)}\n`);
  }
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
}

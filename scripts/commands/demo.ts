/** `assay demo`: a whole federation on this machine, from an empty chain to an audited model. */
import { type Command, Option } from 'commander';
import { loneAttacks } from '../../client/attacks/registry.ts';
import type { DemoOptions } from '../demo/demoOptions.ts';
import { runDemo } from '../demo/runDemo.ts';
import { DEMO_TASKS } from '../demo/tasks/names.ts';
import { withTaskDefaults } from '../demo/tasks/registry.ts';
import { withRuleSettings, withServerSettings } from '../federation/ruleSettings.ts';
import { withEngine } from '../options/engine.ts';
import { withFacts } from '../options/shared.ts';
import { decimal, integer, oneOf } from '../options/values.ts';

const EXAMPLES = `
Examples:
  $ npm run demo                                                 ten clients, two of them Byzantine, ten rounds, an audit
  $ npm run demo -- --norm-bound none --rule fedavg              plain averaging, ruined by the two
  $ npm run demo -- --rule arc+nnm+trimmed-mean --audit-only      a composition that auditors check and no contract judges
  $ npm run demo -- --server fedAdam                             the server steps with adaptive moments
  $ npm run demo -- --attack copycat                             the two send others' updates: voided, and they pay
  $ npm run demo -- --lying-aggregator                           the watchtower proves the lie, the liar is slashed, the round is redone
  $ npm run demo -- --withholding-client                         a client reveals what it shows to nobody, and is slashed
  $ npm run demo -- --task code                                  six companies train a model that completes code
  $ npm run demo -- --task digits                                ten hospitals train a model that draws digits
  $ npm run demo -- --keep                                       leaves the chain and the gateways running to be audited

The tasks code and digits have no attackers, plain averaging and server momentum 0.5 unless told otherwise; code has 6 clients,
digits 15 rounds. See docs/generate.md.`;

export function addDemoCommand(program: Command): void {
  const attackNames = loneAttacks.map(({ name }) => name).join(', ');
  withServerSettings(withRuleSettings(withEngine(withFacts(program.command('demo')))))
    .description('Run a whole federation on this machine: chain, aggregator, clients, audit.')
    .addOption(
      new Option(
        '--task <name>',
        'what is trained: classify (a digit classifier), code (a model that completes code) or digits (one that draws them)',
      )
        .argParser(oneOf(...DEMO_TASKS))
        .default('classify'),
    )
    .option('--rounds <n>', 'rounds', integer(1, 1000), 10)
    .option('--clients <n>', 'client processes', integer(1, 30), 10)
    .option('--byzantine <n>', 'how many of them attack; also f of the rule', integer(0, 14), 2)
    .option('--attack <name>', `what the Byzantine clients do: ${attackNames}`, 'signFlipping')
    .option('--norm-bound <norm>', "largest L2 norm of an update, or none; default: the model's")
    .option(
      '--alpha <a>',
      'Dirichlet concentration of the label skew; smaller is more unlike',
      decimal(0.01, 1000),
      0.5,
    )
    .option('--local-steps <n>', "minibatches of a client in a round; default: the model's", integer(1))
    .option('--seed <text>', 'seed of the first model, the silos, training and rounding', 'assay')
    .option('--lying-aggregator', 'an aggregator publishes one wrong coordinate in one round', false)
    .option('--lying-client', 'a client lies about the norm of its update, far beyond the bound', false)
    .option('--withholding-client', 'a client reveals an update and shows it to nobody, on the chain neither', false)
    .option('--framing-challenger', 'somebody accuses an honest participant of a wrong number', false)
    .option('--keep', 'leave chain and gateways running and say how to audit them', false)
    .option('--out <folder>', "folder for the run's files; default: runs/demo-<time>")
    .option('--port <port>', 'port of the chain; default: a free one', integer(1, 65535))
    .addHelpText('after', EXAMPLES)

    .action((options: DemoOptions, command: Command) =>
      runDemo(withTaskDefaults(options, (name) => (command.getOptionValueSource(name) ?? 'default') === 'default')),
    );
}

/** `assay demo`: a whole federation on this machine, from an empty chain to an audited model. */
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { auditFederation } from '../../auditor/auditFederation.ts';
import { jsonReport } from '../../auditor/report/auditReport.ts';
import { htmlReport } from '../../auditor/report/htmlReport.ts';
import { attacks, parseAttack } from '../../client/attacks/registry.ts';
import { loadMnist } from '../../client/datasets/mnist.ts';
import { createRandom } from '../../client/random.ts';
import { parseRule, RULE_NAMES } from '../../protocol/aggregation/rule.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { type DemoFacts, demoFactsSchema, gasFacts, roundFacts, trimmedFacts } from '../demo/demoFacts.ts';
import { type NodeProcess, startNode } from '../demo/nodeProcess.ts';
import { ProgressLine } from '../demo/progressLine.ts';
import { Scoreboard } from '../demo/scoreboard.ts';
import { prepareSetting, type Setting } from '../demo/setting.ts';
import { summary } from '../demo/summary.ts';
import type { FederationSettings } from '../federation/settings.ts';
import { freePort, type LocalChain, startLocalChain } from '../node/localChain.ts';
import { stopped, stopSignal, untilStopped } from '../node/untilStopped.ts';
import { type FactsOptions, withFacts } from '../options/shared.ts';
import { decimal, integer, oneOf } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';
import { bytes, seconds, shortHash } from '../output/text.ts';

interface DemoOptions extends FactsOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly byzantine: number;
  readonly attack: string;
  readonly rule: string;
  readonly normBound?: string;
  readonly alpha: number;
  readonly seed: string;
  readonly lyingAggregator: boolean;
  readonly keep: boolean;
  readonly out?: string;
  readonly port?: number;
}

const EXAMPLES = `
Examples:
  $ npm run demo                                                 ten clients, two of them Byzantine, ten rounds, an audit
  $ npm run demo -- --norm-bound none --rule fedavg              plain averaging, ruined by the two
  $ npm run demo -- --lying-aggregator                           the audit names the wrong coordinate; ends with status 1
  $ npm run demo -- --keep                                       leaves the chain and the gateways running to be audited`;

export function addDemoCommand(program: Command): void {
  withFacts(program.command('demo'))
    .description('Run a whole federation on this machine: chain, aggregator, clients, audit.')
    .option('--rounds <n>', 'rounds', integer(1, 1000), 10)
    .option('--clients <n>', 'client processes', integer(1, 30), 10)
    .option('--byzantine <n>', 'how many of them attack; also f of the rule', integer(0, 14), 2)
    .option(
      '--attack <name>',
      `what the Byzantine clients do: ${attacks.map(({ name }) => name).join(', ')}`,
      'signFlipping',
    )
    .addOption(
      new Option('--rule <name>', 'aggregation rule').argParser(oneOf(...RULE_NAMES)).default('nnm+trimmed-mean'),
    )
    .option('--norm-bound <norm>', "largest L2 norm of an update, or none; default: the model's")
    .option(
      '--alpha <a>',
      'Dirichlet concentration of the label skew; smaller is more unlike',
      decimal(0.01, 1000),
      0.5,
    )
    .option('--seed <text>', 'seed of the first model, the silos, training and rounding', 'assay')
    .option('--lying-aggregator', 'publish one wrong coordinate in one round', false)
    .option('--keep', 'leave chain and gateways running and say how to audit them', false)
    .option('--out <folder>', "folder for the run's files; default: runs/demo-<time>")
    .option('--port <port>', 'port of the chain; default: a free one', integer(1, 65535))
    .addHelpText('after', EXAMPLES)
    .action(runDemo);
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function runDemo(options: DemoOptions): Promise<void> {
  const started = performance.now();
  const signal = stopSignal();
  checkOptions(options);
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const folder = resolve(options.out ?? join('runs', `demo-${time}`));
  await makeRunFolder(folder);

  say(
    `Assay: ${options.clients} hospitals train one digit classifier without sharing an image; ${options.byzantine} of them attack.`,
  );
  say(
    `rule ${options.rule}, norm bound ${options.normBound ?? 'of the model'}, Dirichlet(${options.alpha}) silos of MNIST, seed ${options.seed}`,
  );
  say('');
  const chain = await startLocalChain(options.port ?? (await freePort()), join(folder, 'logs', 'chain.log'));
  const nodes: NodeProcess[] = [];
  try {
    say(`chain       ${chain.url}, Hardhat, empty`);
    const setting = await prepareSetting(folder, chain, options.clients, federationSettings(options), options.seed);
    say(`federation  ${setting.federation}, contracts deployed, ${options.clients + 1} encrypted keys funded`);
    const outcome = await runFederation(options, setting, chain, folder, nodes, started, signal);
    if (outcome === null) return say('Stopped.');
    if (options.keep) {
      await keepRunning(chain, setting, signal);
    }
    if (!outcome.audit.ok) process.exitCode = 1;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await chain.stop();
  }
}

/** A run's files are never mixed with another's. */
async function makeRunFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const entries = await readdir(folder);
  if (entries.length > 0) {
    throw new AssayError('RUN_FOLDER', {
      summary: `the folder ${folder} is not empty`,
      expected: 'a new or empty folder for the files of this run',
      received: `${entries.length} entries`,
      fix: 'name another folder with --out',
    });
  }
  await mkdir(join(folder, 'logs'));
}

function checkOptions({ rule, byzantine, clients, attack }: DemoOptions): void {
  parseAttack(attack);
  parseRule(rule, byzantine);
  if (byzantine < clients) return;
  throw new AssayError('DEMO_OPTIONS', {
    summary: 'nobody would be honest',
    expected: `--byzantine below --clients`,
    received: `${byzantine} of ${clients}`,
  });
}

function federationSettings({ rule, byzantine, clients, rounds, normBound }: DemoOptions): FederationSettings {
  const ether = 10n ** 18n;
  return {
    rule,
    byzantine,
    server: 'fedAvg',
    serverLearningRate: 1,
    serverMomentum: 0,
    participants: clients,
    rounds,
    stake: ether,
    aggregatorStake: 10n * ether,
    missedRevealPenalty: ether / 10n,
    missedTurnPenalty: ether / 10n,
    // Deadlines, not delays: every phase closes as soon as all have acted.
    commitWindow: 300,
    revealWindow: 300,
    aggregateWindow: 300,
    // Short, so that the demonstration sees its rounds become final; a real federation takes a day.
    challengeWindow: 2,
    withdrawalDelay: 0,
    ...(normBound === undefined ? {} : { normBound }),
  };
}

/** Runs nodes, rounds and audit; null when the user stopped it. */
async function runFederation(
  options: DemoOptions,
  setting: Setting,
  chain: LocalChain,
  folder: string,
  nodes: NodeProcess[],
  started: number,
  signal: AbortSignal,
): Promise<DemoFacts | null> {
  const cache = join('.cache', 'datasets');
  await loadMnist(cache); // once, so that ten clients need not do it at the same time
  const { clients: clientNodes, federation } = setting;
  const byzantine = new Set(clientNodes.slice(options.clients - options.byzantine).map(({ name }) => name));

  const progress = new ProgressLine(options.clients);
  let printed = 0;
  let done: () => void = () => undefined;
  const allFinal = new Promise<void>((resolve) => {
    done = resolve;
  });
  const board = new Scoreboard(() => {
    for (let round = board.rounds.get(printed + 1); round?.published != null; round = board.rounds.get(printed + 1)) {
      printed++;
      progress.end();
      say(roundLine(printed, options.rounds, board));
      if (printed < options.rounds) progress.begin(`[ROUND ${printed + 1}/${options.rounds}]`);
    }
    progress.show(board.round(printed + 1));
    if (board.finalRound === options.rounds) done();
  });
  board.addGas('deploy contracts', setting.gas.contracts);
  board.addGas('create federation', setting.gas.createFederation);

  const common = ['--rpc-url', chain.url, '--federation', federation, '--cache', cache];
  const logOf = (name: string): string => join(folder, 'logs', `${name}.log`);
  const lie = options.lyingAggregator ? ['--lie', chooseLie(options)] : [];
  nodes.push(
    startNode(
      'aggregator',
      ['aggregator', ...common, '--state', setting.aggregator.state, '--evaluate', 'mnist', ...lie],
      setting.password,
      logOf('aggregator'),
      (line) => board.aggregatorLine(line),
    ),
  );
  clientNodes.forEach(({ name, state }, silo) => {
    const data = ['--dataset', 'mnist', '--partition', `dirichlet:${options.alpha}`, '--data-seed', options.seed];
    const place = ['--silo', String(silo), '--silos', String(options.clients), '--seed', `${options.seed}/${name}`];
    const attack = byzantine.has(name) ? ['--attack', options.attack] : [];
    nodes.push(
      startNode(
        name,
        ['client', ...common, '--state', state, ...data, ...place, ...attack],
        setting.password,
        logOf(name),
        (line) => board.participantLine(line),
      ),
    );
  });
  say(`nodes       1 aggregator, ${options.clients} clients, each its own process with its own key, store and gateway`);
  say('');
  progress.begin(`[ROUND 1/${options.rounds}]`);
  const interrupted = stopped(signal).then(() => 'interrupted' as const);
  const ended = await Promise.race([allFinal, interrupted, ...nodes.map((node) => node.ended)]);
  progress.end();
  if (ended === 'interrupted') return null;

  say('');
  say(`Auditing: reading the chain through another library, fetching every payload again, replaying every round.`);
  const report = await auditFederation({ rpcUrl: chain.url, federation, gateways: [] });
  const files = {
    'audit report': join(folder, 'audit.html'),
    'audit, JSON': join(folder, 'audit.json'),
    'facts, JSON': options.json ?? join(folder, 'demo.json'),
    'node logs': join(folder, 'logs'),
  };
  await writeFileAtomic(files['audit report'], htmlReport(report));
  await writeFileAtomic(files['audit, JSON'], jsonReport(report));
  const byzantineAddresses = new Set(
    clientNodes.filter(({ name }) => byzantine.has(name)).map(({ address }) => address.toLowerCase()),
  );
  const rounds = roundFacts(board, report);
  const last = rounds.at(-1)!;
  const facts: DemoFacts = {
    command: 'demo',
    federation,
    chainId: setting.connection.chainId,
    rpcUrl: chain.url,
    seed: options.seed,
    rule: options.rule,
    normBound: options.normBound ?? 'model',
    clients: options.clients,
    byzantine: options.byzantine,
    attack: options.byzantine === 0 ? null : parseAttack(options.attack).name,
    finalAccuracy: last.accuracy,
    finalModelRoot: last.modelRoot,
    rounds,
    seconds: (performance.now() - started) / 1000,
    aggregationSeconds: rounds.reduce((sum, round) => sum + round.seconds.aggregate, 0),
    auditSeconds: report.seconds,
    audit: { ok: report.ok, findings: [...report.findings] },
    gas: gasFacts(board),
    trimmed: trimmedFacts(board, byzantineAddresses),
    files,
  };
  await writeFacts(files['facts, JSON'], demoFactsSchema.parse(facts));
  const names = new Map([...clientNodes].map(({ address, name }) => [address.toLowerCase(), name]));
  for (const line of summary(facts, names)) say(line);
  return facts;
}

/** One finished round, in the grammar that Flower's users know, with what only Assay can say behind it. */
function roundLine(round: number, of: number, board: Scoreboard): string {
  const { published, excluded, trainSeconds } = board.round(round);
  const { updates, metrics, modelRoot, transaction, payloadBytes, aggregateSeconds } = published!;
  return [
    `[ROUND ${String(round).padStart(String(of).length)}/${of}]`,
    `aggregate_train: Received ${updates} results and ${excluded} failures`,
    `| accuracy ${(metrics?.accuracy ?? 0).toFixed(4)}`,
    `| root ${shortHash(modelRoot)}`,
    `| tx ${shortHash(transaction)}`,
    `| ${bytes(payloadBytes)}`,
    `| train ${seconds(trainSeconds)}, aggregate ${seconds(aggregateSeconds)}`,
  ].join(' ');
}

function chooseLie({ seed, rounds }: DemoOptions): string {
  const random = createRandom(seed, 'lie');
  return `${Math.ceil(rounds / 2)}:${random.nextInt(50_890)}`;
}

async function keepRunning(chain: LocalChain, setting: Setting, signal: AbortSignal): Promise<void> {
  const target = `--rpc-url ${chain.url} --federation ${setting.federation}`;
  say('');
  say('Chain and gateways go on running. From another terminal:');
  say(`  npm run assay -- audit ${target}`);
  say(`  npm run assay -- status ${target}`);
  say(`  npm run assay -- model ${target} --out model`);
  say('Ctrl-C ends them.');
  await untilStopped(signal);
}

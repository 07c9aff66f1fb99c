/** The demonstration from an empty chain to an audited model. */
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { auditFederation } from '../../auditor/auditFederation.ts';
import { type AuditReport, jsonReport } from '../../auditor/report/auditReport.ts';
import { htmlReport } from '../../auditor/report/htmlReport.ts';
import { parseLoneAttack } from '../../client/attacks/registry.ts';
import type { Preset } from '../../client/models/presets.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { fetchModel } from '../node/fetchModel.ts';
import { freePort, startLocalChain } from '../node/localChain.ts';
import { stopSignal, untilStopped } from '../node/untilStopped.ts';
import { writeFacts } from '../output/facts.ts';
import { type DemoFacts, demoFactsSchema, gasFacts, roundFacts, weightFacts } from './demoFacts.ts';
import {
  checkDemoOptions,
  type DemoOptions,
  demoFederation,
  hasRogues,
  type Rogue,
  rogueClients,
  rogueRound,
} from './demoOptions.ts';
import { injustices } from './justice.ts';
import type { NodeProcess } from './nodeProcess.ts';
import { byzantineClients, type Outcome, runRounds } from './runRounds.ts';
import { type Cast, prepareSetting, type Setting } from './setting.ts';
import { summary } from './summary.ts';
import { taskOf } from './tasks/registry.ts';
import type { Companion, RoundModel, TaskResult } from './tasks/task.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Sets the exit status to 1 when the audit finds a breach or justice was not done. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const started = performance.now();
  const signal = stopSignal();
  checkDemoOptions(options);
  const task = taskOf(options);
  task.check(options);
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const folder = resolve(options.out ?? join('runs', `demo-${time}`));
  const logFolder = await makeRunFolder(folder);
  const { clients, seed } = options;
  for (const line of task.introduce(options)) say(line);
  say('');
  const chain = await startLocalChain(options.port ?? (await freePort()), join(logFolder, 'chain.log'));
  const nodes: NodeProcess[] = [];
  let companion: Companion | null = null;
  try {
    say(`chain       ${chain.url}, ${chain.name}, empty`);
    const cacheFolder = join('.cache', 'datasets');
    const preset = withLocalSteps(await task.prepare(options, cacheFolder), options);
    const setting = await prepareSetting(folder, chain, castOf(options), demoFederation(options), preset, seed);
    const { aggregators, others } = setting;
    const everybody = [...aggregators, ...setting.clients, ...others];
    const names = new Map(everybody.map(({ address, name }) => [address.toLowerCase(), name]));
    const rogues = roguesOf(options, setting);
    say(`federation  ${setting.federation}, contracts deployed, ${everybody.length} encrypted keys funded`);
    say(
      `nodes       ${[...aggregators, ...others].length > 1 ? [...aggregators, ...others].map(({ name }) => name).join(', ') : '1 aggregator'}, ${clients} clients, each its own process with its own key, store and gateway`,
    );
    for (const [who, rogue] of rogues)
      say(`rogue       ${names.get(who)}: ${ROGUE_PLANS[rogue]} in round ${rogueRound(options)}`);
    say('');
    const rpcUrl = chain.url;
    companion = task.begin?.({ options, manifest: preset.manifest, cacheFolder, folder }) ?? null;
    const outcome = await runRounds({ options, setting, names, rpcUrl, cacheFolder, logFolder, nodes, signal, say });
    if (outcome === null) return say('Stopped.');

    say('');
    say('Auditing: reading the chain through another library, fetching every payload again, replaying every round.');
    const { engine, threads } = options;
    const report = await auditFederation({ rpcUrl, federation: setting.federation, gateways: [], engine, threads });
    const result = (await companion?.finish(await roundModels(options, setting, rpcUrl))) ?? null;
    const facts = await writeResults(options, folder, setting, rpcUrl, outcome, report, result, started);
    const wrongs = injustices(rogues, facts.slashed, names);
    for (const line of summary(facts, names, result?.lines ?? [], rogues.size > 0 ? wrongs : null)) say(line);
    if (options.keep) await keepRunning(rpcUrl, setting, signal);
    if (!report.ok || wrongs.length > 0) process.exitCode = 1;
  } finally {
    await companion?.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await chain.stop();
  }
}

const ROGUE_PLANS: Readonly<Record<Rogue, string>> = {
  'lying-aggregator': 'publishes one wrong coordinate',
  'lying-client': 'lies about the norm of its update',
  'withholding-client': 'reveals an update that it shows to nobody',
  'framing-challenger': 'accuses an honest participant',
};

function withLocalSteps(preset: Preset, { localSteps }: DemoOptions): Preset {
  if (localSteps === undefined) return preset;
  const { localEpochs: _, ...training } = preset.manifest.training;
  return { ...preset, manifest: { ...preset.manifest, training: { ...training, localSteps } } };
}

/** A federation of rogues has a second aggregator that stands by, and a watchtower. */
function castOf(options: DemoOptions): Cast {
  const watched = hasRogues(options);
  return {
    aggregators: watched ? ['aggregator-0', 'aggregator-1'] : ['aggregator'],
    clientCount: options.clients,
    others: [...(watched ? ['watchtower'] : []), ...(options.framingChallenger ? ['challenger'] : [])],
  };
}

/** By address in lower case. */
function roguesOf(options: DemoOptions, { aggregators, clients, others }: Setting): Map<string, Rogue> {
  const rogueNodes = rogueClients(options);
  const [liar] = options.lyingAggregator ? aggregators : [];
  return new Map<string, Rogue>([
    ...(liar === undefined ? [] : [[liar.address.toLowerCase(), 'lying-aggregator'] as const]),
    ...rogueNodes.map((rogue, i) => [clients.at(i - rogueNodes.length)!.address.toLowerCase(), rogue] as const),
    ...others
      .filter(({ name }) => name === 'challenger')
      .map(({ address }) => [address.toLowerCase(), 'framing-challenger'] as const),
  ]);
}

/** A run's files are never mixed with another's. Returns the folder for logs. */
async function makeRunFolder(folder: string): Promise<string> {
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
  const logs = join(folder, 'logs');
  await mkdir(logs);
  return logs;
}

async function writeResults(
  options: DemoOptions,
  folder: string,
  setting: Setting,
  rpcUrl: string,
  { board, justice }: Outcome,
  report: AuditReport,
  result: TaskResult | null,
  started: number,
): Promise<DemoFacts> {
  const files = {
    'audit report': join(folder, 'audit.html'),
    'audit, JSON': join(folder, 'audit.json'),
    'facts, JSON': options.json ?? join(folder, 'demo.json'),
    'node logs': join(folder, 'logs'),
    ...result?.files,
  };
  const gas = gasFacts(board);
  const gasLines = Object.entries(gas).map(([action, { count, mean, most }]) => ({ action, count, mean, max: most }));
  await writeFileAtomic(files['audit report'], htmlReport(report, { gas: gasLines }));
  await writeFileAtomic(files['audit, JSON'], jsonReport(report));
  const attackers = new Set(byzantineClients(options, setting).map(({ address }) => address.toLowerCase()));
  const rounds = roundFacts(board, report);
  const last = rounds.at(-1)!;
  const facts: DemoFacts = {
    command: 'demo',
    task: options.task,
    federation: setting.federation,
    chainId: setting.connection.chainId,
    rpcUrl,
    seed: options.seed,
    rule: options.rule,
    normBound: options.normBound ?? 'model',
    clients: options.clients,
    byzantine: options.byzantine,
    attack: options.byzantine === 0 ? null : parseLoneAttack(options.attack).name,
    finalAccuracy: last.accuracy,
    finalModelRoot: last.modelRoot,
    rounds,
    seconds: (performance.now() - started) / 1000,
    aggregationSeconds: rounds.reduce((sum, round) => sum + round.seconds.aggregate, 0),
    auditSeconds: report.seconds,
    audit: { ok: report.ok, findings: [...report.findings] },
    slashed: justice.sentences,
    gas,
    weights: weightFacts(board, attackers),
    saturated: board.saturated,
    code: result?.facts.code ?? null,
    digits: result?.facts.digits ?? null,
    files,
  };
  await writeFacts(files['facts, JSON'], demoFactsSchema.parse(facts));
  return facts;
}

/** Every published model with the first one, as anybody can have them: fetched, and verified against the chain. */
async function roundModels({ rounds }: DemoOptions, { federation }: Setting, rpcUrl: string): Promise<RoundModel[]> {
  const models: RoundModel[] = [];
  const source = { rpcUrl, rpcPatience: 10, federation, peer: [], publicGateway: [], final: false };
  for (let round = 0; round <= rounds; round++) {
    const { weights } = await fetchModel({ ...source, round }, () => undefined);
    models.push({ round, weights });
  }
  return models;
}

async function keepRunning(rpcUrl: string, setting: Setting, signal: AbortSignal): Promise<void> {
  const target = `--rpc-url ${rpcUrl} --federation ${setting.federation}`;
  say('');
  say('Chain and gateways go on running. From another terminal:');
  say(`  npm run assay -- audit ${target}`);
  say(`  npm run assay -- status ${target}`);
  say(`  npm run assay -- model ${target} --out model`);
  say('Ctrl-C ends them.');
  await untilStopped(signal);
}

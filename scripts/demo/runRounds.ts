/** Starts all nodes, and prints a line for each round until the last one is final. */
import { join } from 'node:path';
import { createRandom } from '../../client/random.ts';
import { stopped } from '../node/untilStopped.ts';
import { bytes, seconds, shortHash } from '../output/text.ts';
import { type DemoOptions, hasRefusedAttack, hasRogues, rogueClients, rogueRound } from './demoOptions.ts';
import { Justice } from './justice.ts';
import { type NodeLine, type NodeProcess, type Program, startNode } from './nodeProcess.ts';
import { ProgressLine } from './progressLine.ts';
import { Scoreboard } from './scoreboard.ts';
import type { DemoNode, Setting } from './setting.ts';
import { taskOf } from './tasks/registry.ts';

export interface Stage {
  readonly options: DemoOptions;
  readonly setting: Setting;
  /** By address in lower case. */
  readonly names: ReadonlyMap<string, string>;
  readonly rpcUrl: string;
  readonly cacheFolder: string;
  readonly logFolder: string;
  /** Every node that is started is put here at once, so that whoever ends the demonstration can end them. */
  readonly nodes: NodeProcess[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly board: Scoreboard;
  readonly justice: Justice;
}

/** The attackers are the last clients but the rogues. */
export function byzantineClients(options: DemoOptions, { clients }: Setting): readonly DemoNode[] {
  const end = clients.length - rogueClients(options).length;
  return clients.slice(end - options.byzantine, end);
}

/**
 * @returns what the nodes reported and what the contract did about rogues, or null when the user stopped it.
 * @throws AssayError `NODE_ENDED` when a node ended by itself.
 */
export async function runRounds(stage: Stage): Promise<Outcome | null> {
  const { options, setting, names, nodes, signal, say } = stage;
  const progress = new ProgressLine(options.clients);
  const lastIsFinal = Promise.withResolvers<void>();
  const board: Scoreboard = new Scoreboard((round) => {
    if (board.round(round).published !== null && board.fresh.delete(round)) {
      progress.end();
      say(roundLine(options, round, board));
      if (round < options.rounds) progress.begin(`[ROUND ${round + 1}/${options.rounds}]`);
    }
    progress.show(board.round(board.newest + 1), board.registered);
    if (board.finalRound === options.rounds) lastIsFinal.resolve();
  });
  board.addGas('deploy contracts', setting.gas.contracts);
  board.addGas('create federation', setting.gas.createFederation);
  const tell = (line: string): void => progress.interrupt(() => say(line));
  const justice = await Justice.at(setting.connection, setting.federation, names, tell);

  progress.begin(`[ROUND 1/${options.rounds}]`);
  const interrupted = stopped(signal).then(() => 'interrupted' as const);
  const failed = () => nodes.filter(({ mayEnd }) => !mayEnd).map((node) => node.ended);
  const follower = new AbortController();
  const following =
    hasRogues(options) || hasRefusedAttack(options) ? justice.follow(follower.signal) : Promise.resolve();
  try {
    for (const [turn] of setting.aggregators.entries()) {
      const registered = startAggregator(stage, board, turn);
      // One after the other, so that the first leads the round of the lie, and all before the first commit: who joins
      // later leads from the next round on, and could not do this one again.
      if (setting.aggregators.length > 1) await Promise.race([registered, interrupted, ...failed()]);
    }
    startClients(stage, board, tell);
    startOthers(stage);
    const end = await Promise.race([lastIsFinal.promise, interrupted, ...failed(), following.then(() => never)]);
    if (end === 'interrupted') return null;
  } finally {
    progress.end();
    follower.abort();
    await following;
  }
  await justice.look();
  for (const { proof, gas } of justice.sentences) board.addGas(proof, BigInt(gas));
  return { board, justice };
}

const never = new Promise<never>(() => undefined);

/** The first one lies when it was asked to. Resolves when it has registered. */
function startAggregator(stage: Stage, board: Scoreboard, turn: number): Promise<void> {
  const { options, setting } = stage;
  const registered = Promise.withResolvers<void>();
  const onLine = (line: NodeLine): void => {
    board.aggregatorLine(line);
    if (line.type === 'registered') registered.resolve();
  };
  const lies = options.lyingAggregator && turn === 0;
  launch(stage, 'assay', setting.aggregators[turn]!, aggregatorArguments(stage, lies), onLine, lies);
  return registered.promise;
}

/** The watchtower, the challenger. */
function startOthers(stage: Stage): void {
  const { options, setting } = stage;
  for (const node of setting.others) {
    const watches = node.name === 'watchtower';
    const args = watches ? ['watch', '--log', 'json'] : rogueArguments(options, 'framing-challenger');
    launch(stage, watches ? 'assay' : 'rogue', node, args, () => undefined);
  }
}

/** @param tell is given a line for each update that the contract refuses */
function startClients(stage: Stage, board: Scoreboard, tell: (line: string) => void): void {
  const { options, setting } = stage;
  const attackers = byzantineClients(options, setting);
  const rogues = rogueClients(options);
  setting.clients.forEach((client, silo) => {
    const onLine = (line: NodeLine): void => {
      board.participantLine(line);
      if (line.type === 'refused') {
        tell(`[ROUND ${line.round}] the contract refuses the update of ${client.name}: ${line.reason}`);
      }
    };
    const rogue = rogues[silo - (setting.clients.length - rogues.length)];
    const attack = attackers.includes(client) ? ['--attack', options.attack] : [];
    if (rogue !== undefined) launch(stage, 'rogue', client, rogueArguments(options, rogue), onLine);
    else launch(stage, 'assay', client, [...clientArguments(stage, client, silo), ...attack], onLine);
  });
}

function launch(
  { setting, rpcUrl, logFolder, nodes }: Stage,
  program: Program,
  { name, state }: DemoNode,
  args: readonly string[],
  onLine: (line: NodeLine) => void,
  mayEnd = false,
): void {
  const [command, ...own] = args;
  const common = ['--rpc-url', rpcUrl, '--federation', setting.federation, '--state', state];
  const all = [command!, ...common, ...own];
  nodes.push(startNode(name, program, all, setting.password, join(logFolder, `${name}.log`), onLine, mayEnd));
}

function aggregatorArguments({ options, setting, cacheFolder }: Stage, lies: boolean): string[] {
  const args = ['aggregator', '--log', 'json', '--cache', cacheFolder];
  args.push('--evaluate', taskOf(options).evaluation(options));
  args.push('--engine', options.engine);
  if (options.threads !== undefined) args.push('--threads', String(options.threads));
  if (!lies) return args;
  // Any coordinate will do; this one follows from the seed.
  const coordinate = createRandom(options.seed, 'lie').nextInt(setting.dimension);
  return [...args, '--lie', `${rogueRound(options)}:${coordinate}`];
}

function clientArguments({ options, cacheFolder }: Stage, { name }: DemoNode, silo: number): string[] {
  return [
    ...['client', '--log', 'json', '--cache', cacheFolder, '--seed', `${options.seed}/${name}`],
    ...taskOf(options).clientData(options, silo),
  ];
}

function rogueArguments(options: DemoOptions, kind: string): string[] {
  return [kind, '--round', String(rogueRound(options)), '--seed', options.seed];
}

/** One finished round, in the grammar that Flower's users know, with what only Assay can say behind it. */
function roundLine(options: DemoOptions, round: number, board: Scoreboard): string {
  const of = options.rounds;
  const { published, excluded, trainSeconds } = board.round(round);
  const { updates, metrics, modelRoot, transaction, payloadBytes, aggregateSeconds } = published!;
  const { name, value } = taskOf(options).describe(metrics ?? { accuracy: 0, loss: 0 });
  return [
    `[ROUND ${String(round).padStart(String(of).length)}/${of}]`,
    `aggregate_train: Received ${updates} results and ${excluded} failures`,
    `| ${name} ${value}`,
    `| root ${shortHash(modelRoot)}`,
    `| tx ${shortHash(transaction)}`,
    `| ${bytes(payloadBytes)}`,
    `| train ${seconds(trainSeconds)}, aggregate ${seconds(aggregateSeconds)}`,
  ].join(' ');
}

/** Starts the aggregator and the clients, and prints a line for each round until the last one is final. */
import { join } from 'node:path';
import { createRandom } from '../../client/random.ts';
import { stopped } from '../node/untilStopped.ts';
import { bytes, seconds, shortHash } from '../output/text.ts';
import type { DemoOptions } from './demoOptions.ts';
import { type NodeProcess, startNode } from './nodeProcess.ts';
import { ProgressLine } from './progressLine.ts';
import { Scoreboard } from './scoreboard.ts';
import type { DemoNode, Setting } from './setting.ts';

export interface Stage {
  readonly options: DemoOptions;
  readonly setting: Setting;
  readonly rpcUrl: string;
  readonly cacheFolder: string;
  readonly logFolder: string;
  /** Every node that is started is put here at once, so that whoever ends the demonstration can end them. */
  readonly nodes: NodeProcess[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** The attackers are the last clients. */
export function byzantineClients({ byzantine }: DemoOptions, { clients }: Setting): readonly DemoNode[] {
  return clients.slice(clients.length - byzantine);
}

/**
 * @returns what the nodes reported, or null when the user stopped the demonstration.
 * @throws AssayError `NODE_ENDED` when a node ended by itself.
 */
export async function runRounds(stage: Stage): Promise<Scoreboard | null> {
  const { options, setting, nodes, signal, say } = stage;
  const progress = new ProgressLine(options.clients);
  let printed = 0;
  const lastIsFinal = Promise.withResolvers<void>();
  const board = new Scoreboard(() => {
    for (let next = board.rounds.get(printed + 1); next?.published != null; next = board.rounds.get(printed + 1)) {
      printed++;
      progress.end();
      say(roundLine(printed, options.rounds, board));
      if (printed < options.rounds) progress.begin(`[ROUND ${printed + 1}/${options.rounds}]`);
    }
    progress.show(board.round(printed + 1), board.registered);
    if (board.finalRound === options.rounds) lastIsFinal.resolve();
  });
  board.addGas('deploy contracts', setting.gas.contracts);
  board.addGas('create federation', setting.gas.createFederation);

  progress.begin(`[ROUND 1/${options.rounds}]`);
  nodes.push(launch(stage, setting.aggregator, aggregatorArguments(options), (line) => board.aggregatorLine(line)));
  const attackers = byzantineClients(options, setting);
  setting.clients.forEach((client, silo) => {
    const attack = attackers.includes(client) ? ['--attack', options.attack] : [];
    const args = [...clientArguments(options, client, silo), ...attack];
    nodes.push(launch(stage, client, args, (line) => board.participantLine(line)));
  });
  const interrupted = stopped(signal).then(() => 'interrupted' as const);
  const end = await Promise.race([lastIsFinal.promise, interrupted, ...nodes.map((node) => node.ended)]);
  progress.end();
  return end === 'interrupted' ? null : board;
}

function launch(
  { setting, rpcUrl, cacheFolder, logFolder }: Stage,
  { name, state }: DemoNode,
  args: readonly string[],
  onLine: Parameters<typeof startNode>[4],
): NodeProcess {
  const [command, ...own] = args;
  const common = ['--rpc-url', rpcUrl, '--federation', setting.federation, '--cache', cacheFolder, '--state', state];
  return startNode(name, [command!, ...common, ...own], setting.password, join(logFolder, `${name}.log`), onLine);
}

function aggregatorArguments({ lyingAggregator, seed, rounds }: DemoOptions): string[] {
  const args = ['aggregator', '--evaluate', 'mnist'];
  if (!lyingAggregator) return args;
  // Any coordinate will do; this one follows from the seed. The model has 50,890.
  const coordinate = createRandom(seed, 'lie').nextInt(50_890);
  return [...args, '--lie', `${Math.ceil(rounds / 2)}:${coordinate}`];
}

function clientArguments({ alpha, seed, clients }: DemoOptions, { name }: DemoNode, silo: number): string[] {
  return [
    ...['client', '--dataset', 'mnist', '--partition', `dirichlet:${alpha}`, '--data-seed', seed],
    ...['--silo', String(silo), '--silos', String(clients), '--seed', `${seed}/${name}`],
  ];
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

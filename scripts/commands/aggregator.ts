/** `assay aggregator`: the node that publishes each round's model. */
import type { Command } from 'commander';
import { aggregate } from '../../aggregator/aggregate.ts';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { RelayDesk } from '../../aggregator/relay/relayDesk.ts';
import { relayRoute } from '../../aggregator/relay/relayRoute.ts';
import { ensureRegistered } from '../../chain/ensureRegistered.ts';
import { AssayError } from '../../protocol/errors.ts';
import { chooseEngine } from '../../protocol/round/engine/chooseEngine.ts';
import { evaluator } from '../node/evaluator.ts';
import { fetchManifest } from '../node/fetchManifest.ts';
import { modelMaterial } from '../node/modelMaterial.ts';
import { openNode } from '../node/openNode.ts';
import { stopSignal, untilStopped } from '../node/untilStopped.ts';
import { describeEngine, type EngineOptions, withEngine } from '../options/engine.ts';
import { type ModelFileOptions, withModelFiles } from '../options/modelFiles.ts';
import { type FactsOptions, type NodeOptions, withNode } from '../options/shared.ts';
import { externalTrainer, type TrainerFlags, withTrainer } from '../options/trainer.ts';
import { ether } from '../options/values.ts';
import { FactsFile } from '../output/factsFile.ts';
import { describeAggregatorEvent, nodeLog } from '../output/nodeLog.ts';

interface AggregatorOptions extends NodeOptions, FactsOptions, EngineOptions, TrainerFlags, ModelFileOptions {
  readonly evaluate?: string;
  readonly cache: string;
  readonly exit: boolean;
  readonly relay: boolean;
  readonly lie?: string;
}

const EXAMPLES = `
Examples:
  $ assay aggregator --federation 0x5FbD.. --state nodes/aggregator
  $ assay aggregator --federation 0x5FbD.. --state nodes/aggregator --evaluate mnist --gateway-port 4100`;

export function addAggregatorCommand(program: Command): void {
  withModelFiles(withTrainer(withEngine(withNode(program.command('aggregator')))))
    .description('Run an aggregator: collect, verify, aggregate, publish, make rounds final.')
    .option('--stake <ether>', 'stake to register with; default: what the federation asks for', ether)
    .option('--evaluate <dataset>', 'evaluate each model on the held-out part of a data set, named as for assay client')
    .option('--cache <folder>', 'folder for prepared data sets', '.cache/datasets')
    .option('--exit', 'end when the last round is final instead of going on to serve payloads', false)
    .option('--no-relay', 'submit no signed messages of participants: they pay their own gas')
    .option('--lie <round:coordinate>', 'publish one wrong coordinate in one round, to see an audit find it')
    .addHelpText('after', EXAMPLES)
    .action(runAggregator);
}

async function runAggregator(options: AggregatorOptions): Promise<void> {
  const signal = stopSignal();
  const log = nodeLog<AggregatorEvent>(options.log, describeAggregatorEvent);
  const engine = chooseEngine(options.engine, options.threads);
  const node = await openNode(options, 'assay aggregator', log.say, ({ federation, signer }) => {
    if (!options.relay) return async () => false;
    return relayRoute(new RelayDesk({ federation, signer, report: log.event }));
  });
  try {
    const { federation, signer, state, payloads, gatewayUrl } = node;
    const { dimension } = federation.parameters;
    const sabotage = options.lie === undefined ? undefined : parseLie(options.lie, dimension);
    log.say(`serving payloads at ${gatewayUrl}`);
    log.say(`computing with ${describeEngine(engine)}`);
    const facts = new FactsFile(options.json, {
      command: 'aggregator',
      federation: federation.address,
      account: signer.account.address,
    });
    const report = (event: AggregatorEvent): void => {
      log.event(event);
      facts.add(event);
    };
    // Before anything is staked: a data set that cannot be read must not cost one.
    const external = externalTrainer(options, log.say, state.file('trainer'));
    const evaluates = options.evaluate !== undefined || options.data !== undefined;
    const manifest = evaluates ? await fetchManifest(federation, payloads, signal, log.say) : undefined;
    const evaluation =
      manifest === undefined
        ? undefined
        : await evaluator(
            options.evaluate ?? null,
            options.cache,
            manifest,
            federation.parameters,
            { material: await modelMaterial(manifest, options, payloads), ...(external && { external }) },
            log.say,
          );
    try {
      const { stake, ...registration } = await ensureRegistered(
        federation,
        signer,
        'aggregator',
        gatewayUrl,
        options.stake,
      );
      report({ type: 'registered', account: signer.account.address, stakeWei: stake, ...registration });
      await aggregate({
        engine,
        federation,
        signer,
        state,
        payloads,
        report,
        signal,
        pollMs: options.pollMs,
        ...(evaluation === undefined ? {} : { evaluate: evaluation.evaluate }),
        ...(sabotage === undefined ? {} : { sabotage }),
      });
    } finally {
      await evaluation?.close();
    }
    await facts.write();
    if (!options.exit) await untilStopped(signal);
  } finally {
    await node.close();
    await engine.close();
  }
}

/** @throws AssayError `LIE` for what is not ROUND:COORDINATE of this model. */
function parseLie(text: string, dimension: number): (round: number, model: Int32Array) => void {
  const [, round, coordinate] = (/^(\d+):(\d+)$/.exec(text) ?? []).map(Number);
  if (round === undefined || coordinate === undefined || round < 1 || coordinate >= dimension) {
    throw new AssayError('LIE', {
      summary: 'not a lie',
      expected: `ROUND:COORDINATE, such as 3:${Math.floor(dimension / 2)}; the model has ${dimension} coordinates`,
      received: text,
      fix: 'count rounds from 1 and coordinates from 0',
    });
  }
  return (published, model) => {
    if (published === round) model[coordinate] = model[coordinate]! + 1;
  };
}

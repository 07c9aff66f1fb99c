/** `assay client`: a participant's node. */
import { type Command, Option } from 'commander';
import { ensureRegistered } from '../../chain/ensureRegistered.ts';
import type { Attack } from '../../client/attacks/attack.ts';
import { loneAttacks, parseLoneAttack } from '../../client/attacks/registry.ts';
import { loadSilo, parseDataset } from '../../client/datasets/loadSilo.ts';
import { parsePartition } from '../../client/datasets/partition/partition.ts';
import { type AnyDataset, isText } from '../../client/datasets/text/textDataset.ts';
import { loadClientKernels } from '../../client/node/clientKernels.ts';
import type { ParticipantEvent } from '../../client/node/events.ts';
import { participate } from '../../client/node/participate.ts';
import { relaySender } from '../../client/node/relaySender.ts';
import { ownTransactions } from '../../client/node/sender.ts';
import {
  checkPersonalisation,
  PERSONALISATIONS,
  type Personalisation,
  parsePersonalisation,
} from '../../client/personalisation/settings.ts';
import { localSteps as stepsOfRound } from '../../client/training/algorithms/localSteps.ts';
import { chooseEngine } from '../../client/training/chooseEngine.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import type { TrainingSettings } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { ENGINES, type EngineName } from '../../protocol/round/engine/roundEngine.ts';
import { fetchManifest } from '../node/fetchManifest.ts';
import { modelMaterial } from '../node/modelMaterial.ts';
import { nodeSeed } from '../node/nodeSeed.ts';
import { openNode } from '../node/openNode.ts';
import { holdOutOwn } from '../node/ownData.ts';
import { stopSignal, untilStopped } from '../node/untilStopped.ts';
import { type ModelFileOptions, withModelFiles } from '../options/modelFiles.ts';
import { type FactsOptions, type NodeOptions, withNode } from '../options/shared.ts';
import { externalTrainer, type TrainerFlags, withTrainer } from '../options/trainer.ts';
import { decimal, ether, httpUrl, integer, oneOf } from '../options/values.ts';
import { FactsFile } from '../output/factsFile.ts';
import { describeParticipantEvent, nodeLog } from '../output/nodeLog.ts';

interface ClientOptions extends NodeOptions, FactsOptions, TrainerFlags, ModelFileOptions {
  readonly dataset?: string;
  readonly partition: string;
  readonly silo: number;
  readonly silos: number;
  readonly dataSeed: string;
  readonly seed?: string;
  readonly cache: string;
  readonly attack?: string;
  readonly engine: EngineName;
  readonly exit: boolean;
  readonly relay?: string;
  readonly localSteps?: number;
  readonly personalise?: Personalisation;
  readonly heldOut: number;
}

const EXAMPLES = `
Examples:
  $ assay client --federation 0x5FbD.. --state nodes/north --dataset 'csv:wards/north.csv?label=outcome'
  $ assay client --federation 0x5FbD.. --state nodes/c0 --dataset mnist --partition dirichlet:0.5 --silo 0 --silos 10
  $ assay client --federation 0x5FbD.. --state nodes/south --data /srv/images --trainer 'python3 my_trainer.py'
  $ assay client --config north.json        { "federation": "0x5FbD..", "state": "nodes/north", "dataset": "mnist" }

Settings of a CSV file, joined with &: label=COLUMN, classes=a,b (names of the classes in the federation's order),
columns=a,b (use these only), ignore=a,b, holdout=0.2, standardize=true.

Text, for language models: text:FOLDER?ext=md,txt&holdout=0.1, or the sources of an installed package,
package:viem?ext=ts&limit=BYTES&holdout=0.1.`;

export function addClientCommand(program: Command): void {
  withModelFiles(withTrainer(withNode(program.command('client'))))
    .description('Run a participant: train on local data, commit, reveal, serve the payloads.')
    .option('--stake <ether>', 'stake to register with; default: what the federation asks for', ether)
    .option('--dataset <spec>', 'mnist, csv:PATH?label=COLUMN, text:FOLDER or package:NAME (settings below)')
    .option('--partition <spec>', 'by-file: all of it; iid or dirichlet:ALPHA: one silo of many', 'by-file')
    .option('--silo <index>', "which silo of the partition is this participant's, from 0", integer(0), 0)
    .option('--silos <count>', 'silos of the partition', integer(1), 1)
    .option('--data-seed <text>', 'seed of the partition, the same in every silo', 'assay')
    .option('--seed <text>', 'seed of training and rounding; default: random, kept in the state folder')
    .option('--cache <folder>', 'folder for prepared data sets', '.cache/datasets')
    .option('--attack <name>', `misbehave, to test a federation: ${loneAttacks.map(({ name }) => name).join(', ')}`)
    .addOption(
      new Option('--engine <name>', 'what hashes and rounds: wasm, the SIMD kernels, or reference, plain TypeScript')
        .argParser(oneOf(...ENGINES))
        .default('wasm'),
    )
    .option(
      '--relay <url>',
      "have an aggregator's node submit what this node signs, so that it needs no coin for gas",
      httpUrl,
    )
    .option('--local-steps <n>', "this device's own number of minibatches, under fednova and fedprox", integer(1))
    .option(
      '--personalise <method>',
      `also make a model of one's own: ${PERSONALISATIONS.join(', ')} (docs/algorithms.md)`,
      parsePersonalisation,
    )
    .option(
      '--held-out <share>',
      'with --personalise: share of the own samples to measure it with',
      decimal(0.001, 0.999),
      0.2,
    )
    .option('--exit', 'end when the last round is final instead of going on to serve payloads', false)
    .addHelpText('after', EXAMPLES)
    .action(runClient);
}

async function runClient(options: ClientOptions): Promise<void> {
  const signal = stopSignal();
  const log = nodeLog<ParticipantEvent>(options.log, describeParticipantEvent);
  const attack = options.attack === undefined ? undefined : parseLoneAttack(options.attack);
  if (options.silo >= options.silos) {
    throw new AssayError('SILO', {
      summary: 'there is no such silo',
      expected: `--silo from 0 to ${options.silos - 1}`,
      received: String(options.silo),
    });
  }
  if (options.dataset !== undefined) parseDataset(options.dataset);
  checkDataOptions(options, attack);
  parsePartition(options.partition);
  const kernels = options.engine === 'wasm' ? loadClientKernels() : null;
  const node = await openNode(options, 'assay client', log.say);
  try {
    const { federation, signer, state, payloads, gatewayUrl } = node;
    log.say(`serving payloads at ${gatewayUrl}`);
    log.say(`computing with ${kernels === null ? 'the reference engine, plain TypeScript' : 'the wasm engine'}`);
    const facts = new FactsFile(options.json, {
      command: 'client',
      federation: federation.address,
      account: signer.account.address,
    });
    const report = (event: ParticipantEvent): void => {
      log.event(event);
      facts.add(event);
    };
    const manifest = await fetchManifest(federation, payloads, signal, log.say);
    const external = externalTrainer(options, log.say, state.file('trainer'));
    log.say(chooseEngine(manifest.engine, external?.command).line);
    const silo =
      options.dataset === undefined
        ? undefined
        : await loadSilo({
            dataset: options.dataset,
            partition: options.partition,
            silo: options.silo,
            silos: options.silos,
            seed: options.dataSeed,
            cacheFolder: options.cache,
            data: manifest.data,
          });
    const { personalise, localSteps } = options;
    checkOwnTraining(manifest.training, options);
    const own = silo && personalise ? holdOutOwn(silo, options.heldOut, options.dataSeed) : silo;
    const train = attack === undefined || own === undefined ? own?.train : corruptData(attack, own.train);
    const trainer = createTrainer({
      manifest,
      material: await modelMaterial(manifest, options, payloads),
      ...(train && { train }),
      ...(own && { test: own.test }),
      ...(external && { external }),
    });
    // Who asks this node to end does not wait for hours of somebody else's training.
    if (external !== undefined) signal.addEventListener('abort', () => void trainer.close(), { once: true });
    try {
      const seed = await nodeSeed(state, options.seed);
      const { stake, ...registration } = await ensureRegistered(
        federation,
        signer,
        'participant',
        gatewayUrl,
        options.stake,
      );
      const account = signer.account.address;
      const index = (await federation.participant(account))?.index ?? -1;
      report({ type: 'registered', account, index, stakeWei: stake, ...registration });
      await participate({
        federation,
        signer,
        manifest,
        state,
        payloads,
        trainer,
        seed,
        kernels,
        report,
        signal,
        pollMs: options.pollMs,
        ...(attack === undefined ? {} : { attack }),
        ...(localSteps !== undefined && { localSteps }),
        ...(personalise && { personalise }),
        ...(options.relay === undefined
          ? {}
          : {
              sender: relaySender({
                url: options.relay,
                federation,
                signer,
                instead: ownTransactions(federation, signer),
                onFailure: log.say,
              }),
            }),
      });
    } finally {
      await trainer.close();
    }
    await facts.write();
    if (!options.exit) await untilStopped(signal);
  } finally {
    await node.close();
  }
}

/** @throws AssayError `LOCAL_STEPS` or `PERSONALISATION` for what the federation or the engine does not do */
function checkOwnTraining(training: TrainingSettings, { localSteps, personalise, trainer }: ClientOptions): void {
  stepsOfRound(training, localSteps, 1);
  if (personalise === undefined) return;
  checkPersonalisation(personalise, training);
  if (trainer === undefined) return;
  throw new AssayError('PERSONALISATION', {
    summary: 'the built-in engine makes personal models; an external trainer keeps its own in its memory',
    expected: '--personalise without --trainer',
    received: `--personalise ${personalise.method} with --trainer`,
  });
}

/** @throws AssayError `DATA_OPTIONS` where it is not clear what is trained on */
function checkDataOptions({ dataset, data, trainer }: ClientOptions, attack: Attack | undefined): void {
  const received = `${dataset === undefined ? 'no' : 'a'} --dataset, ${data === undefined ? 'no' : 'a'} --data, ${trainer === undefined ? 'no' : 'a'} --trainer`;
  const right = data === undefined ? dataset !== undefined : dataset === undefined && trainer !== undefined;
  if (!right) {
    throw new AssayError('DATA_OPTIONS', {
      summary: 'it is not clear what this participant trains on',
      expected: '--dataset SPEC; or --data FOLDER with --trainer COMMAND, for data that only the trainer understands',
      received,
    });
  }
  if (data !== undefined && attack?.corruptDataset !== undefined) {
    throw new AssayError('ATTACK_DATA', {
      summary: `the attack ${attack.name} changes labels, and --data is only the trainer's to read`,
      expected: 'an attack that changes the update, such as signFlipping',
      received: attack.name,
    });
  }
}

/** @throws AssayError `ATTACK_DATA` for an attack on labels where there are none. */
function corruptData(attack: Attack, data: AnyDataset): AnyDataset {
  if (attack.corruptDataset === undefined) return data;
  if (!isText(data)) return attack.corruptDataset(data);
  throw new AssayError('ATTACK_DATA', {
    summary: `the attack ${attack.name} changes labels, and text has none`,
    expected: 'an attack that changes the update, such as signFlipping',
    received: attack.name,
  });
}

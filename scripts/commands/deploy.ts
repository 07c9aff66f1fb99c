/** `assay deploy`: the contracts and a new federation. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { createFederation } from '../../chain/createFederation.ts';
import { deployAssay } from '../../chain/deploy.ts';
import { checkAlgorithmServer } from '../../client/training/algorithms/checkServerStep.ts';
import { checkServerStep } from '../../protocol/aggregation/serverStep.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { connectKubo } from '../../storage/sources/kuboNode.ts';
import { openStateFolder } from '../../storage/stateFolder.ts';
import { choosePreset, PRESETS, type PresetOptions } from '../federation/choosePreset.ts';
import { planRule, planServerStep } from '../federation/ruleSettings.ts';
import { type FederationSettings, planParameters, withFederationSettings } from '../federation/settings.ts';
import { storeGenesis } from '../federation/storeGenesis.ts';
import { applyTraining, type TrainingOptions, withTrainingOptions } from '../federation/trainingOptions.ts';
import { modelMaterial } from '../node/modelMaterial.ts';
import { openChain, openSigner } from '../node/openNode.ts';
import { parseAddress } from '../options/address.ts';
import { withConfigFile } from '../options/configFile.ts';
import { withModelFiles } from '../options/modelFiles.ts';
import {
  type ChainOptions,
  type FactsOptions,
  type KeyOptions,
  withChain,
  withFacts,
  withKey,
} from '../options/shared.ts';
import { externalTrainer, type TrainerFlags, withTrainerCommand } from '../options/trainer.ts';
import { collect, httpUrl, integer, oneOf } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

interface DeployCommandOptions
  extends ChainOptions,
    KeyOptions,
    FederationSettings,
    FactsOptions,
    PresetOptions,
    TrainingOptions,
    TrainerFlags {
  readonly state: string;
  readonly seed: string;
  readonly factory?: string;
  readonly kuboRpc?: string;
  readonly member: readonly string[];
}

const EXAMPLES = `
Examples:
  $ assay deploy --state nodes/aggregator --model mnist --participants 3 --rounds 5
  $ assay deploy --state nodes/aggregator --model mlp --features 12 --classes 2 --participants 5 --byzantine 1
  $ assay deploy --state nodes/aggregator --model mnist-cnn --algorithm scaffold --local-steps 60
  $ assay deploy --state nodes/aggregator --manifest draft.json --tokenizer tokenizer.json --norm-bound 5
  $ assay deploy --state nodes/aggregator --model mnist --member 0xAb58.. --member 0x1aE0..

A draft is a manifest (docs/spec/manifest.md) with "model", "training" and "data"; what follows from the model is filled in.
The manifest and the first model are put into the payload store of --state: start the aggregator with the same folder and
it serves them. Without --member anyone who stakes may join.`;

export function addDeployCommand(program: Command): void {
  const command = withFederationSettings(withModelFiles(withKey(withChain(program.command('deploy')))))
    .description('Deploy the contracts and create a federation.')
    .requiredOption(
      '--state <folder>',
      "state folder of the node that will serve the first model, usually the aggregator's",
    )
    .option('--name <text>', 'what people call the federation', 'assay')
    .addOption(
      new Option('--model <preset>', `one of ${PRESETS.join(', ')} (docs/models.md)`)
        .argParser(oneOf(...PRESETS))
        .default('mnist'),
    )
    .option('--manifest <file>', 'draft of a manifest, instead of a preset')
    .option('--tokenizer <file>', 'tokeniser of a language model, made by assay tokenizer')
    .option('--features <n>', 'numbers per sample, for --model mlp', integer(1))
    .option('--classes <n>', 'classes, for --model mlp', integer(2))
    .option('--hidden <n>', 'width of the hidden layer, for --model mlp', integer(1), 32)
    .option('--seed <text>', 'seed of the first model', 'assay')
    .option('--factory <address>', 'use this factory instead of deploying the contracts again')
    .option('--kubo-rpc <url>', 'also pin manifest and first model in this Kubo daemon', httpUrl)
    .option('--member <address>', 'put this account on the allow-list; repeatable', collect, []);
  withTrainingOptions(command);
  withTrainerCommand(command, 'take the first weights from this command instead of the built-in engine');
  withFacts(withConfigFile(command)).addHelpText('after', EXAMPLES).action(runDeploy);
}

async function runDeploy(options: DeployCommandOptions): Promise<void> {
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`);
  };
  const members = options.member.map(parseAddress);
  const preset = applyTraining(await choosePreset(options), options);
  const material = await modelMaterial(preset.manifest, options, null);
  // Before a chain is waited for and contracts are paid for.
  planRule(options);
  checkServerStep(planServerStep(options));
  checkAlgorithmServer(preset.manifest.training, options.server);
  const external = externalTrainer(options, say);
  const state = await openStateFolder(options.state, { owner: 'assay deploy' });
  try {
    const connection = await openChain(options, say);
    const signer = await openSigner(connection, options, options.state);
    const store = await openPayloadStore(state.file('payloads'));
    const genesis = await storeGenesis(store, preset.manifest, options.seed, preset.maxUpdateNorm, material, external);
    const stored = [genesis.manifestCid, genesis.modelCid];
    if (options.baseFile !== undefined) {
      const { cid } = await store.put(new Uint8Array(await readFile(options.baseFile)));
      stored.push(cid);
    }
    if (options.kuboRpc !== undefined) {
      const kubo = await connectKubo(options.kuboRpc);
      for (const cid of stored) await kubo.importPayload(store, cid);
    }
    const parameters = planParameters(options, genesis, members.length === 0);
    const deployment =
      options.factory === undefined
        ? await deployAssay({ rpcUrl: options.rpcUrl, account: signer.account })
        : { factory: parseAddress(options.factory), gasUsed: 0n };
    const created = await createFederation(connection, signer, deployment.factory, parameters, members);
    say(`factory     ${deployment.factory}`);
    say(`federation  ${created.address}`);
    say(`model       ${preset.manifest.model.kind}, ${genesis.dimension} parameters, root ${genesis.modelRoot}`);
    say(
      `rule        ${options.rule}, f = ${parameters.rule.byzantine}, ${parameters.minParticipants} participants, ${parameters.totalRounds} rounds`,
    );
    say('');
    const target = `--rpc-url ${options.rpcUrl} --federation ${created.address}`;
    const password = options.passwordFile === undefined ? '' : ` --password-file ${options.passwordFile}`;
    say('Next, each in a terminal of its own:');
    say(`  npm run assay -- aggregator ${target} --state ${options.state}${password}`);
    say(`  npm run assay -- client ${target} --state nodes/NAME${password} --dataset ...`);
    await writeFacts(options.json, {
      command: 'deploy',
      chainId: connection.chainId,
      factory: deployment.factory,
      federation: created.address,
      transaction: created.sent.hash,
      gas: { contracts: deployment.gasUsed, createFederation: created.sent.gasUsed },
      manifestCid: genesis.manifestCid,
      genesisModelCid: genesis.modelCid,
      genesisModelRoot: genesis.modelRoot,
      dimension: genesis.dimension,
    });
  } finally {
    await state.close();
  }
}

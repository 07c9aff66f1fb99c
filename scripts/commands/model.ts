/** `assay model`: the current model, fetched, verified against the chain, and written in formats that others read. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Federation } from '../../chain/federation.ts';
import { encodeLayersModel } from '../../client/export/layersModel.ts';
import { encodeSafetensors } from '../../client/export/safetensors.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import { encodeManifest } from '../../protocol/encoding/manifest.ts';
import { modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { verifyModel } from '../../protocol/round/verifyModel.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { fetchManifest } from '../node/fetchManifest.ts';
import { openChain } from '../node/openNode.ts';
import { nodePayloads } from '../node/sources.ts';
import { withConfigFile } from '../options/configFile.ts';
import {
  type ChainOptions,
  type FactsOptions,
  type SourceOptions,
  withChain,
  withFacts,
  withSources,
} from '../options/shared.ts';
import { integer } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

interface ModelOptions extends ChainOptions, SourceOptions, FactsOptions {
  readonly federation: string;
  readonly out: string;
  readonly round?: number;
  readonly final: boolean;
}

const EXAMPLES = `
Examples:
  $ assay model --federation 0x5FbD.. --out model
  $ assay model --federation 0x5FbD.. --out model --round 5
  $ assay model --federation 0x5FbD.. --out model --final        only what can not be voided any more`;

export function addModelCommand(program: Command): void {
  withFacts(withConfigFile(withSources(withChain(program.command('model')))))
    .description('Fetch and verify a model; write it as safetensors and as a TF.js layers model.')
    .requiredOption('--federation <address>', 'address of the federation')
    .requiredOption('--out <folder>', 'folder to write model.safetensors, tfjs/ and manifest.json into')
    .option('--round <n>', 'model of this round; 0 is the first model; default: the newest published', integer(0))
    .option('--final', 'the newest round that is final', false)
    .addHelpText('after', EXAMPLES)
    .action(runModel);
}

async function runModel(options: ModelOptions): Promise<void> {
  const say = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const connection = await openChain(options, say);
  const federation = await Federation.at(connection, options.federation);
  const { parameters } = federation;
  const layout = layoutOf(parameters);
  const { round, root } = await chooseModel(federation, options);
  const scratch = await mkdtemp(join(tmpdir(), 'assay-model-'));
  try {
    const payloads = await nodePayloads(federation, await openPayloadStore(scratch), options, undefined);
    const manifest = await fetchManifest(federation, payloads, AbortSignal.abort(), say);
    const { cid, publisher } = await federation.locateModel(root);
    await payloads.fetch(cid, {
      expectedBytes: modelPayloadLength(layout),
      ...(publisher === null ? {} : { owner: publisher }),
    });
    const model = verifyModel(await payloads.store.readAll(cid), layout, root);
    const weights = fixedToFloat(model, parameters.modelFractionBits);
    const metadata = {
      federation: federation.address,
      chainId: String(connection.chainId),
      round: String(round),
      modelRoot: root,
      cid,
    };
    const layers = encodeLayersModel(manifest.model, weights, metadata);
    await mkdir(join(options.out, 'tfjs'), { recursive: true });
    const files = {
      safetensors: join(options.out, 'model.safetensors'),
      layersModel: join(options.out, 'tfjs', 'model.json'),
      layersWeights: join(options.out, 'tfjs', 'weights.bin'),
      manifest: join(options.out, 'manifest.json'),
    };
    await writeFileAtomic(files.safetensors, encodeSafetensors({ tensors: manifest.tensors, weights, metadata }));
    await writeFileAtomic(files.layersWeights, layers.weightsBin);
    await writeFileAtomic(files.layersModel, layers.modelJson);
    await writeFileAtomic(files.manifest, encodeManifest(manifest));
    process.stdout.write(`round ${round}, ${parameters.dimension} parameters, root ${root}: verified\n`);
    for (const path of Object.values(files)) process.stdout.write(`  ${path}\n`);
    await writeFacts(options.json, { command: 'model', ...metadata, round, dimension: parameters.dimension, files });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function chooseModel(federation: Federation, options: ModelOptions): Promise<{ round: number; root: Hex }> {
  const genesis = { round: 0, root: federation.parameters.genesisModelRoot };
  if (options.round === 0) return genesis;
  const newest = options.final ? await federation.lastFinalRound() : await federation.currentRound();
  const last = options.round ?? newest;
  if (last > newest) {
    throw new AssayError('ROUND', {
      summary: `round ${last} has no model yet`,
      expected: `a round from 0 to ${newest}`,
      received: String(last),
    });
  }
  for (let round = last; round > 0; round--) {
    const view = await federation.round(round);
    if (view.phase === 'challenge' || view.phase === 'final') return { round, root: view.modelRoot };
    if (options.round !== undefined) {
      throw new AssayError('ROUND', {
        summary: `round ${round} has published no model`,
        expected: 'a round in the phase challenge or final',
        received: view.phase,
      });
    }
  }
  return genesis;
}

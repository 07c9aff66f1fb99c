/** `assay model`: the current model, fetched, verified against the chain, and written in formats that others read. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { encodeLayersModel, hasLayersForm } from '../../client/export/layersModel.ts';
import { encodeSafetensors } from '../../client/export/safetensors.ts';
import { encodeManifest } from '../../protocol/encoding/manifest.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { fetchModel, type ModelChoice, withModelChoice } from '../node/fetchModel.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type ChainOptions, type FactsOptions, type SourceOptions, withFacts } from '../options/shared.ts';
import { writeFacts } from '../output/facts.ts';

interface ModelOptions extends ChainOptions, SourceOptions, FactsOptions, ModelChoice {
  readonly out: string;
}

const EXAMPLES = `
Examples:
  $ assay model --federation 0x5FbD.. --out model
  $ assay model --federation 0x5FbD.. --out model --round 5
  $ assay model --federation 0x5FbD.. --out model --final        only what can not be voided any more`;

export function addModelCommand(program: Command): void {
  withFacts(withConfigFile(withModelChoice(program.command('model'))))
    .description('Fetch and verify a model; write it as safetensors and, where it has one, as a TF.js layers model.')
    .requiredOption('--out <folder>', 'folder to write model.safetensors, tfjs/ and manifest.json into')
    .addHelpText('after', EXAMPLES)
    .action(runModel);
}

async function runModel(options: ModelOptions): Promise<void> {
  const { manifest, round, weights, metadata } = await fetchModel(options, (text) => process.stderr.write(`${text}\n`));
  const hasLayers = hasLayersForm(manifest.model) && manifest.training.personal === undefined;
  const layers = hasLayers ? encodeLayersModel(manifest.model, weights, metadata) : null;
  await mkdir(layers === null ? options.out : join(options.out, 'tfjs'), { recursive: true });
  const files = {
    safetensors: join(options.out, 'model.safetensors'),
    ...(layers && {
      layersModel: join(options.out, 'tfjs', 'model.json'),
      layersWeights: join(options.out, 'tfjs', 'weights.bin'),
    }),
    manifest: join(options.out, 'manifest.json'),
  };
  await writeFileAtomic(files.safetensors, encodeSafetensors({ tensors: manifest.tensors, weights, metadata }));
  if (layers !== null) {
    await writeFileAtomic(files.layersWeights!, layers.weightsBin);
    await writeFileAtomic(files.layersModel!, layers.modelJson);
  }
  await writeFileAtomic(files.manifest, encodeManifest(manifest));
  process.stdout.write(`round ${round}, ${weights.length} parameters, root ${metadata.modelRoot}: verified\n`);
  for (const path of Object.values(files)) process.stdout.write(`  ${path}\n`);
  await writeFacts(options.json, { command: 'model', ...metadata, round, dimension: weights.length, files });
}

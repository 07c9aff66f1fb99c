/** `assay model`: the current model, fetched, verified against the chain, and written in formats that others read. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { encodeLayersModel, hasLayersForm } from '../../client/export/layersModel.ts';
import { encodeSafetensors } from '../../client/export/safetensors.ts';
import { wholeModel } from '../../client/models/frozenBase.ts';
import { describeModel } from '../../client/models/registry.ts';
import { encodeManifest } from '../../protocol/encoding/manifest.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { fetchTensors, type ModelChoice, withModelChoice } from '../node/fetchModel.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type ModelFileOptions, withModelFiles } from '../options/modelFiles.ts';
import { type ChainOptions, type FactsOptions, type SourceOptions, withFacts } from '../options/shared.ts';
import { writeFacts } from '../output/facts.ts';

interface ModelOptions extends ChainOptions, SourceOptions, FactsOptions, ModelChoice, ModelFileOptions {
  readonly out: string;
}

const EXAMPLES = `
Examples:
  $ assay model --federation 0x5FbD.. --out model
  $ assay model --federation 0x5FbD.. --out model --round 5
  $ assay model --federation 0x5FbD.. --out model --final        only what can not be voided any more`;

export function addModelCommand(program: Command): void {
  withFacts(withConfigFile(withModelFiles(withModelChoice(program.command('model')))))
    .description('Fetch and verify a model; write it as safetensors and, where it has one, as a TF.js layers model.')
    .requiredOption('--out <folder>', 'folder to write model.safetensors, tfjs/ and manifest.json into')
    .addHelpText('after', EXAMPLES)
    .action(runModel);
}

async function runModel(options: ModelOptions): Promise<void> {
  const fetched = await fetchTensors(options, (text) => process.stderr.write(`${text}\n`));
  const { manifest, round, weights, metadata, material } = fetched;
  const { tensors } = manifest;
  const files: Record<string, string> = {};
  const write = async (name: string, path: string, bytes: Uint8Array | string): Promise<void> => {
    files[name] = join(options.out, path);
    await writeFileAtomic(files[name], bytes);
  };
  await mkdir(options.out, { recursive: true });
  await write('safetensors', 'model.safetensors', encodeSafetensors({ tensors, weights, metadata }));
  // A body under which every participant has its own head is no model of its kind; nor are adapters without the code
  // of their base.
  const isPart = manifest.training.personal !== undefined || material === null;
  const whole = isPart ? { spec: manifest.model, weights } : wholeModel(manifest.model, weights, material.frozen);
  if (whole.weights !== weights) {
    const merged = { tensors: describeModel(whole.spec).tensors, weights: whole.weights, metadata };
    await write('merged', 'merged.safetensors', encodeSafetensors(merged));
  }
  if (!isPart && hasLayersForm(whole.spec)) {
    const layers = encodeLayersModel(whole.spec, whole.weights, metadata);
    await mkdir(join(options.out, 'tfjs'), { recursive: true });
    await write('layersWeights', join('tfjs', 'weights.bin'), layers.weightsBin);
    await write('layersModel', join('tfjs', 'model.json'), layers.modelJson);
  }
  await write('manifest', 'manifest.json', encodeManifest(manifest));
  process.stdout.write(`round ${round}, ${weights.length} parameters, root ${metadata.modelRoot}: verified\n`);
  for (const path of Object.values(files)) process.stdout.write(`  ${path}\n`);
  if (material === null) {
    process.stdout.write(
      '  the tensors as they are: without the code of the model (--model-file) adapters stay apart\n',
    );
  }
  await writeFacts(options.json, { command: 'model', ...metadata, round, dimension: weights.length, files });
}

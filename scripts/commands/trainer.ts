/** `assay trainer`: external trainers, tried before a federation depends on them. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { describeModel } from '../../client/models/registry.ts';
import { type CheckRow, checkTrainer } from '../../client/training/external/checkTrainer.ts';
import { parseCommand } from '../../client/training/external/command.ts';
import { syntheticData } from '../../client/training/external/syntheticData.ts';
import type { TrainingManifest } from '../../client/training/trainer.ts';
import { parseManifest } from '../../protocol/encoding/manifest.ts';
import { type FactsOptions, withFacts } from '../options/shared.ts';
import { type ExternalTrainerFlags, withTrainerLimits } from '../options/trainer.ts';
import { integer } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';
import { seconds } from '../output/text.ts';

interface CheckOptions extends ExternalTrainerFlags, FactsOptions {
  readonly manifest?: string;
  readonly data?: string;
  readonly samples: number;
}

const EXAMPLES = `
Examples:
  $ assay trainer check 'python3 client/training/external/python/numpy_trainer.py'
  $ assay trainer check './my-trainer --device cuda' --manifest manifest.json --data wards/north

Without --manifest: a multi-layer perceptron of 4-8-3. Without --data: samples that can be learned and mean nothing.
The contract: docs/spec/trainer.md; how to write a trainer: docs/trainers.md.`;

export function addTrainerCommand(program: Command): void {
  const trainer = program.command('trainer').description('External trainers: any command that trains.');
  withFacts(withTrainerLimits(trainer.command('check')))
    .description('Ask a trainer for everything a federation will ask of it, and say what it does.')
    .argument('<command>', 'the command that trains, in quotes')
    .option('--manifest <file>', 'manifest of the federation it is meant for')
    .addOption(new Option('--data <folder>', "the trainer's own data, in a form it understands"))
    .option('--samples <n>', 'samples to make up where there is no --data', integer(8, 1_000_000), 96)
    .addHelpText('after', EXAMPLES)
    .action(runCheck);
}

async function runCheck(line: string, options: CheckOptions): Promise<void> {
  const command = parseCommand(line);
  const manifest = options.manifest === undefined ? smallManifest() : parseManifest(await readFile(options.manifest));
  const made = (seed: string) => syntheticData(manifest, options.samples, seed);
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`);
  };
  say(`checking ${command.name} against trainer/1\n`);
  const rows = await checkTrainer(
    {
      manifest,
      command,
      limits: { idleSeconds: options.trainerIdle, totalSeconds: options.trainerTimeout },
      showEnvironment: options.trainerEnv,
      onLog: (text) => process.stderr.write(`  ${text}\n`),
      ...(options.data === undefined ? { train: made('train'), test: made('test') } : { data: options.data }),
    },
    (row) => say(describe(row)),
  );
  const failed = rows.filter(({ outcome }) => outcome === 'failed').length;
  const warnings = rows.filter(({ outcome }) => outcome === 'warning').length;
  say(`\n${failed > 0 ? 'not usable' : 'usable'}: ${rows.length} checks, ${failed} failed, ${warnings} warnings`);
  await writeFacts(options.json, { command: 'trainer check', trainer: line, usable: failed === 0, rows });
  if (failed > 0) process.exitCode = 1;
}

const MARKS: Readonly<Record<CheckRow['outcome'], string>> = { ok: '✔', warning: '!', failed: '✖' };

function describe({ name, outcome, detail, seconds: taken }: CheckRow): string {
  const [first, ...rest] = detail.split('\n');
  const head = `  ${MARKS[outcome]} ${name.padEnd(20)} ${seconds(taken).padStart(8)}  ${first}`;
  return [head, ...rest.map((line) => `${' '.repeat(35)}${line}`)].join('\n');
}

function smallManifest(): TrainingManifest {
  const model = { kind: 'mlp', inputs: 4, hidden: [8], classes: 3, activation: 'relu' };
  return {
    task: 'classification',
    model,
    tensors: describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
    training: { localEpochs: 3, batchSize: 16, learningRate: 0.1, optimizer: 'sgd', momentum: 0.5 },
    data: { features: 4, classes: 3 },
    engine: 'trainer/1',
  };
}

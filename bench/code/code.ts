/**
 * `npm run bench:code`: what the federation of the code demonstration is worth beside training on everybody's code in
 * one place. Silos that train at the same time read several times the text that one training reads in the same number of
 * steps. So centralised training is measured three times: with the same steps, and with the same text, once in batches
 * that are as much larger and once in steps that are as many more.
 */
import { loadDataset, parseDataset } from '../../client/datasets/loadSilo.ts';
import { publicTokenizer } from '../../client/datasets/text/publicText.ts';
import { bitsPerByte, type TextSplit } from '../../client/datasets/text/textDataset.ts';
import { codeTransformer } from '../../client/models/presets.ts';
import { createEngine, type Engine } from '../../client/training/tfjs/engine.ts';
import { CODE_SILOS, corpusOf } from '../../scripts/demo/tasks/codeSilos.ts';
import { failureText } from '../../scripts/output/failure.ts';
import { table } from '../../scripts/output/text.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { readCount, readNumber, readOptions } from '../options.ts';
import { federate } from '../support/federate.ts';

const USAGE = `\
  npm run bench:code                                   one seed: about seven minutes
  npm run bench:code -- --seeds 1,2,3 --json FILE      other seeds; the facts
  --silos 6, --rounds 10, --local-steps 60             of the federation`;

/** As the demonstration has it. */
const SERVER_MOMENTUM = 0.5;

interface Settings {
  readonly seeds: readonly string[];
  readonly silos: number;
  readonly rounds: number;
  readonly localSteps: number;
  readonly json?: string | undefined;
}

/** One way to train: how much of what it took, and how well it does on the held-out files of all silos. */
interface Training {
  readonly seed: string;
  readonly name: string;
  /** Steps that follow each other. */
  readonly steps: number;
  /** Windows of text that were read, by all silos together. */
  readonly windows: number;
  /** Per token. */
  readonly perplexity: number;
  readonly bitsPerByte: number;
}

function readSettings(): Settings {
  const values = readOptions(USAGE, {
    seeds: { type: 'string', default: 'assay' },
    silos: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '10' },
    'local-steps': { type: 'string', default: '60' },
    json: { type: 'string' },
  });
  return {
    seeds: values.seeds.split(','),
    silos: readNumber(
      'silos',
      values.silos,
      (value) => Number.isSafeInteger(value) && value > 0 && value <= CODE_SILOS.length,
      `a whole number from 1 to ${CODE_SILOS.length}`,
    ),
    rounds: readCount('rounds', values.rounds),
    localSteps: readCount('local-steps', values['local-steps']),
    json: values.json,
  };
}

async function main(): Promise<void> {
  const settings = readSettings();
  const trainings: Training[] = [];
  for (const seed of settings.seeds) {
    for await (const training of measure(settings, seed)) {
      process.stderr.write(`seed ${seed}: ${training.name}: ${training.perplexity.toFixed(2)}\n`);
      trainings.push(training);
    }
  }
  process.stdout.write(`${describe(settings, trainings)}\n`);
  if (settings.json !== undefined) {
    await writeFileAtomic(settings.json, `${JSON.stringify({ settings, trainings }, null, 2)}\n`);
  }
}

/** All ways to train from the same first model. */
async function* measure({ silos, rounds, localSteps }: Settings, seed: string): AsyncGenerator<Training> {
  const { manifest } = codeTransformer('code', await publicTokenizer());
  const { localEpochs: _, ...training } = manifest.training;
  const { batchSize } = training;
  const engineFor = (steps: number, batch: number): Promise<Engine> =>
    createEngine({ ...manifest, training: { ...training, localSteps: steps, batchSize: batch } });
  const load = async (dataset: string): Promise<TextSplit> => {
    const options = { cacheFolder: '.cache/datasets', seed: 'assay', data: manifest.data };
    return (await loadDataset(parseDataset(dataset), options)) as TextSplit;
  };
  const members = CODE_SILOS.slice(0, silos);
  const everywhere = await load(corpusOf(members));
  const judge = (name: string, engine: Engine, weights: Float32Array, steps: number, windows: number): Training => {
    const { loss } = engine.evaluate(everywhere.test, weights);
    const bits = bitsPerByte(loss, everywhere.test);
    return { seed, name, steps, windows, perplexity: Math.exp(loss), bitsPerByte: bits };
  };

  const steps = rounds * localSteps;
  const own: TextSplit['train'][] = [];
  for (const silo of members) own.push((await load(corpusOf([silo]))).train);
  const engine = await engineFor(localSteps, batchSize);
  const siloSeed = (silo: number) => `${seed}/${silo}`;
  const federated = federate(engine, own, { rounds, seed, siloSeed, momentum: SERVER_MOMENTUM });
  yield judge('federated', engine, federated, steps, silos * steps * batchSize);

  for (const { name, times, larger } of [
    { name: 'centralised, as many steps', times: 1, larger: 1 },
    { name: 'centralised, as much text in larger batches', times: 1, larger: silos },
    { name: 'centralised, as much text in more steps', times: silos, larger: 1 },
  ]) {
    const central = await engineFor(times * steps, larger * batchSize);
    const { weights } = central.train(everywhere.train, { weights: central.init(seed), round: 1, seed });
    yield judge(name, central, weights, times * steps, times * larger * steps * batchSize);
  }
}

function describe({ silos, rounds, localSteps }: Settings, trainings: readonly Training[]): string {
  const federated = (seed: string) => trainings.find((one) => one.seed === seed)!.perplexity;
  return [
    `perplexity on the held-out files of ${silos} silos; federated: ${rounds} rounds of ${localSteps} steps at each`,
    ...table([
      ['seed', 'training', 'steps in turn', 'windows read', 'perplexity', 'bits per byte', 'federated is'],
      ...trainings.map(({ seed, name, steps, windows, perplexity, bitsPerByte: bits }) => [
        seed,
        name,
        String(steps),
        String(windows),
        perplexity.toFixed(2),
        bits.toFixed(3),
        `${(federated(seed) / perplexity).toFixed(2)}x`,
      ]),
    ]),
  ].join('\n');
}

await main().catch((error) => {
  console.error(failureText(error));
  process.exitCode = 1;
});

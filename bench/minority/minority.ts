/**
 * `npm run bench:minority`: what a federated generator is worth to those who lack classes. Silos of digits that miss most
 * kinds federate a variational autoencoder; each then draws the kinds it lacks from it. A classifier is trained with and
 * without the drawn samples: by each silo alone, and federated.
 *
 * Federated averaging in floating point, without chain, attackers or quantisation: the question is the data.
 */
import { countClasses, type Dataset } from '../../client/datasets/dataset.ts';
import { loadMnist } from '../../client/datasets/mnist.ts';
import { takeSilo } from '../../client/datasets/partition/partition.ts';
import { drawImages } from '../../client/generation/drawImages.ts';
import { fillClasses } from '../../client/generation/fillClasses.ts';
import { isGenerator, openModel } from '../../client/generation/openModel.ts';
import { digitsVae, mnistMlp } from '../../client/models/presets.ts';
import { createRandom } from '../../client/random.ts';
import { createEngine, type Engine } from '../../client/training/tfjs/engine.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { failureText } from '../../scripts/output/failure.ts';
import { table } from '../../scripts/output/text.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { readCount, readNumber, readOptions } from '../options.ts';
import { federate } from '../support/federate.ts';

const USAGE = `\
  npm run bench:minority                              three seeds: about four minutes
  npm run bench:minority -- --seeds 1 --json FILE     one seed; the facts
  npm run bench:minority -- --silos 10 --alpha 0.1    how the digits are spread over silos
  --vae-rounds 10, --rounds 10, --local-epochs 10     of the generator, the federated classifier, a silo alone
  --per-class 40, --temperature 1                     what is drawn`;

interface Settings {
  readonly seeds: readonly string[];
  readonly silos: number;
  readonly alpha: number;
  readonly vaeRounds: number;
  readonly rounds: number;
  readonly localEpochs: number;
  readonly perClass: number;
  readonly temperature: number;
  readonly json?: string | undefined;
}

function readSettings(): Settings {
  const values = readOptions(USAGE, {
    seeds: { type: 'string', default: '1,2,3' },
    silos: { type: 'string', default: '10' },
    alpha: { type: 'string', default: '0.1' },
    'vae-rounds': { type: 'string', default: '10' },
    rounds: { type: 'string', default: '10' },
    'local-epochs': { type: 'string', default: '10' },
    'per-class': { type: 'string', default: '40' },
    temperature: { type: 'string', default: '1' },
    json: { type: 'string' },
  });
  const positive = (name: 'alpha' | 'temperature') =>
    readNumber(name, values[name], (value) => value > 0 && value < Number.POSITIVE_INFINITY, 'a number above 0');
  return {
    seeds: values.seeds.split(','),
    silos: readCount('silos', values.silos),
    alpha: positive('alpha'),
    vaeRounds: readCount('vae-rounds', values['vae-rounds']),
    rounds: readCount('rounds', values.rounds),
    localEpochs: readCount('local-epochs', values['local-epochs']),
    perClass: readCount('per-class', values['per-class']),
    temperature: positive('temperature'),
    json: values.json,
  };
}

/** Digits of a kind below this many count as lacking. */
const LACKING = 5;

interface Outcome {
  readonly seed: string;
  /** Evidence lower bound of the federated generator on held-out digits, nats. */
  readonly elbo: number;
  /** Share of drawn digits in which a classifier that knows all real ones sees the digit that was asked for. */
  readonly agreement: number;
  /** Kinds that a silo lacks, mean over silos. */
  readonly lacking: number;
  /** Accuracy on all held-out digits, 0..1: mean over silos of models trained alone. */
  readonly alone: { readonly own: number; readonly filled: number };
  /** Accuracy of the federated classifier after each round. */
  readonly federated: { readonly own: readonly number[]; readonly filled: readonly number[] };
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

interface Study {
  readonly settings: Settings;
  readonly train: Dataset;
  readonly test: Dataset;
  readonly generator: Engine;
  readonly classifier: Engine;
  /** The classifier of a silo on its own. */
  readonly lone: Engine;
  /** Weights of a classifier that has seen all real digits. */
  readonly judge: Float32Array;
}

async function main(): Promise<void> {
  const settings = readSettings();
  const { train, test } = await loadMnist('.cache/datasets');
  const lone = await createEngine(withEpochs(mnistMlp().manifest, settings.localEpochs));
  const study: Study = {
    settings,
    train,
    test,
    generator: await createEngine(digitsVae().manifest),
    classifier: await createEngine(mnistMlp().manifest),
    lone,
    judge: lone.train(train, { weights: lone.init('judge'), round: 1, seed: 'judge' }).weights,
  };
  const outcomes: Outcome[] = [];
  for (const seed of settings.seeds) outcomes.push(await measure(study, seed));
  process.stdout.write(`${describe(settings, outcomes)}\n`);
  if (settings.json !== undefined) {
    await writeFileAtomic(settings.json, `${JSON.stringify({ settings, outcomes }, null, 2)}\n`);
  }
}

async function measure(
  { settings, train, test, generator, classifier, lone, judge }: Study,
  seed: string,
): Promise<Outcome> {
  const { silos, alpha, vaeRounds, rounds, perClass, temperature } = settings;
  const own = Array.from({ length: silos }, (_, i) => takeSilo(train, { kind: 'dirichlet', alpha }, i, silos, seed));
  const run = (what: string, count: number, momentum: number) => ({
    rounds: count,
    seed,
    siloSeed: (silo: number) => `${seed}/${what}/${silo}`,
    momentum,
    onRound: (_: Float32Array, round: number) => {
      if (round % 5 === 0) say(`seed ${seed}: ${what}, round ${round} of ${count}`);
    },
  });
  const weights = federate(generator, own, run('generator', vaeRounds, 0.5));
  const elbo = -generator.evaluate(test, weights).loss;
  const open = await openModel(generator.model.spec, weights);
  isGenerator(open, 'image-generation');
  const filled = own.map((silo, i) => fillClasses(open, silo, perClass, createRandom(seed, 'draw', i), temperature));
  const wanted = Uint8Array.from({ length: 1000 }, (_, i) => i % 10);
  const drawn = drawImages(open, [...wanted], createRandom(seed, 'agreement'), temperature);
  const agreement = lone.evaluate({ ...test, size: wanted.length, x: drawn, y: wanted }, judge).accuracy;
  open.close();
  const alone = (data: readonly Dataset[]) =>
    mean(
      data.map((silo, i) => {
        const trained = lone.train(silo, { weights: lone.init(seed), round: 1, seed: `${seed}/${i}` }).weights;
        return lone.evaluate(test, trained).accuracy;
      }),
    );
  const together = (data: readonly Dataset[]) => {
    const accuracy: number[] = [];
    const running = run('classifier', rounds, 0);
    federate(classifier, data, {
      ...running,
      onRound: (weights, round) => {
        accuracy.push(classifier.evaluate(test, weights).accuracy);
        running.onRound(weights, round);
      },
    });
    return accuracy;
  };
  const outcome: Outcome = {
    seed,
    elbo,
    agreement,
    lacking: mean(own.map((silo) => countClasses(silo).filter((count) => count < LACKING).length)),
    alone: { own: alone(own), filled: alone(filled) },
    federated: { own: together(own), filled: together(filled) },
  };
  say(JSON.stringify(outcome));
  return outcome;
}

function withEpochs(manifest: Manifest, epochs: number): Manifest {
  return { ...manifest, training: { ...manifest.training, localEpochs: epochs } };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function describe({ silos, alpha, vaeRounds, rounds }: Settings, all: readonly Outcome[]): string {
  const row = (name: string, of: (outcome: Outcome) => { readonly own: number; readonly filled: number }) => {
    const [before, after] = [mean(all.map((one) => of(one).own)), mean(all.map((one) => of(one).filled))];
    const gains = all.map((one) => of(one).filled - of(one).own);
    return [name, before, after, after - before, Math.min(...gains)].map((value) =>
      typeof value === 'number' ? value.toFixed(4) : value,
    );
  };
  const rows = [
    ['classifier', 'own samples', 'with drawn ones', 'gain', 'least gain of a seed'],
    row('each silo alone (mean over silos)', ({ alone }) => alone),
    ...[...new Set([1, Math.min(3, rounds), rounds])].map((round) =>
      row(`federated, after round ${round}`, ({ federated: { own, filled } }) => ({
        own: own[round - 1]!,
        filled: filled[round - 1]!,
      })),
    ),
  ];
  const [heading, ...body] = rows as [string[], ...string[][]];
  return [
    `accuracy on 2,000 held-out digits, mean over ${all.length} seeds; ${silos} silos, Dirichlet(${alpha}), a silo lacks ${mean(all.map(({ lacking }) => lacking)).toFixed(1)} of 10 kinds; generator: ${vaeRounds} rounds, ELBO ${mean(all.map(({ elbo }) => elbo)).toFixed(1)}, ${(100 * mean(all.map((one) => one.agreement))).toFixed(1)} % of what it draws is seen as what was asked for`,
    ...table([heading, ...body]),
  ].join('\n');
}

await main().catch((error) => {
  console.error(failureText(error));
  process.exitCode = 1;
});

/**
 * What the code demonstration shows beside its federation: every silo alone, all code in one place, perplexity by silo
 * and round, and what the model writes.
 */
import { availableParallelism } from 'node:os';
import { createTokenizer, DOCUMENT_END } from '../../../client/datasets/text/tokenizer.ts';
import { continueText } from '../../../client/generation/continueText.ts';
import { isGenerator, openModel } from '../../../client/generation/openModel.ts';
import { createRandom } from '../../../client/random.ts';
import type { Manifest, TextData } from '../../../protocol/encoding/manifest.ts';
import { percent, table } from '../../output/text.ts';
import type { DemoFacts } from '../demoFacts.ts';
import { corpusOf, silosOf } from './codeSilos.ts';
import { ComparisonThreads, type Measured } from './comparison.ts';
import type { Companion, CompanionStage } from './task.ts';

type CodeFacts = NonNullable<DemoFacts['code']>;

const PROMPTS = ['import { ', 'export function '];
const COMPLETION_TOKENS = 60;
const SAMPLING = { temperature: 0.4, topK: 20, topP: 1 };
/** As the plain demonstration's threads: more do not fit beside the clients. */
const MOST_THREADS = 4;

export function compareCode({ options, manifest, cacheFolder }: CompanionStage): Companion {
  const silos = silosOf(options);
  const datasets = [...silos.map((silo) => corpusOf([silo])), corpusOf(silos)];
  const union = silos.length;
  const own = silos.map((_, i) => i);
  const steps = options.rounds * (manifest.training.localSteps ?? 1);
  // One beside the clients, which keep the processors busy themselves.
  const threads = new ComparisonThreads({ manifest, datasets, cacheFolder, seed: options.seed, steps }, 1);
  const alone = own.map((dataset) => threads.run({ kind: 'train', dataset, measureOn: [dataset, union] }));
  const centralised = threads.run({ kind: 'train', dataset: union, measureOn: [...own, union] });

  return {
    async finish(models) {
      threads.grow(Math.min(MOST_THREADS, availableParallelism()) - 1);
      const rounds = await Promise.all(
        models.map(async ({ round, weights }) => ({
          round,
          ...byPlace(await threads.run({ kind: 'measure', weights, measureOn: [...own, union] }), union),
        })),
      );
      const facts: CodeFacts = {
        steps,
        silos: (await Promise.all(alone)).map((measured, i) => {
          const [here, everywhere] = measured as [Measured, Measured];
          return {
            name: silos[i]!.name,
            heldOutTokens: here.tokens,
            heldOutBytes: here.bytes,
            aloneOwn: Math.exp(here.loss),
            aloneUnion: Math.exp(everywhere.loss),
          };
        }),
        centralised: byPlace(await centralised, union),
        rounds,
        completions: await complete(manifest, models.at(-1)!.weights, options.seed),
      };
      return { lines: describe(facts), facts: { code: facts, digits: null }, files: {} };
    },
    close: () => threads.close(),
  };
}

/** Perplexities per token, and the union's bits per byte, which do not depend on the tokeniser. */
function byPlace(measured: readonly Measured[], union: number) {
  const everywhere = measured.find(({ dataset }) => dataset === union)!;
  return {
    union: Math.exp(everywhere.loss),
    bitsPerByte: everywhere.bitsPerByte,
    silos: measured.filter(({ dataset }) => dataset !== union).map(({ loss }) => Math.exp(loss)),
  };
}

async function complete(manifest: Manifest, weights: Float32Array, seed: string): Promise<CodeFacts['completions']> {
  const tokenizer = createTokenizer((manifest.data as TextData).tokenizer);
  const open = await openModel(manifest.model, weights);
  isGenerator(open, 'language-model');
  const completions = PROMPTS.map((prompt) => {
    const text = continueText(open, tokenizer.encode(prompt), SAMPLING, createRandom(seed, prompt), DOCUMENT_END);
    const tokens = Array.from({ length: COMPLETION_TOKENS }, () => text.next().value);
    return { prompt, completion: new TextDecoder().decode(tokenizer.decode(tokens)) };
  });
  open.close();
  return completions;
}

function describe({ steps, silos, centralised, rounds, completions }: CodeFacts): string[] {
  const last = rounds.at(-1)!;
  const apart = last.union / centralised.union - 1;
  const best = Math.min(...silos.map(({ aloneUnion }) => aloneUnion));
  const number = (value: number) => value.toFixed(2);
  const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return [
    '',
    'Perplexity by round and silo (each on its own held-out files)',
    ...indent(
      table([
        ['round', ...silos.map(({ name }) => name), 'all', 'bits per byte'],
        ...rounds.map((round) => [
          String(round.round),
          ...[...round.silos, round.union].map(number),
          round.bitsPerByte.toFixed(3),
        ]),
      ]),
    ),
    '',
    `Perplexity after ${steps} steps: federated, each silo alone, all code in one place (centralised)`,
    ...indent(
      table([
        ['silo', 'own files: federated', 'alone', 'centralised', 'all files: alone'],
        ...silos.map(({ name, aloneOwn, aloneUnion }, i) => [
          name,
          ...[last.silos[i]!, aloneOwn, centralised.silos[i]!, aloneUnion].map(number),
        ]),
      ]),
    ),
    `  all files: federated ${number(last.union)}, best silo alone ${number(best)}, centralised ${number(centralised.union)}; federated is ${percent(Math.abs(apart))} ${apart > 0 ? 'above' : 'below'} centralised`,
    '',
    ...completions.flatMap(({ prompt, completion }) => [
      'The federated model completes (prompt, then |)',
      ...indent(`${prompt}|${completion}`.split('\n')),
      '',
    ]),
  ];
}

/** `assay generate`: a federation's model at work. Fetched, verified against the chain, sampled. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { createTokenizer, DOCUMENT_END } from '../../client/datasets/text/tokenizer.ts';
import { continueText } from '../../client/generation/continueText.ts';
import { drawImages } from '../../client/generation/drawImages.ts';
import { layOut } from '../../client/generation/imageSheet.ts';
import { isGenerator, type OpenModel, openModel } from '../../client/generation/openModel.ts';
import { encodePng } from '../../client/generation/png.ts';
import { checkSampling, DEFAULT_SAMPLING } from '../../client/generation/sampleToken.ts';
import { wholeModel } from '../../client/models/frozenBase.ts';
import type { ImageGenerator, LanguageModel } from '../../client/models/model.ts';
import { createRandom } from '../../client/random.ts';
import type { TextData } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { type FetchedModel, fetchModel, type ModelChoice, withModelChoice } from '../node/fetchModel.ts';
import { refuseBodies } from '../node/refuseBodies.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type ModelFileOptions, withModelFiles } from '../options/modelFiles.ts';
import { type ChainOptions, type FactsOptions, type SourceOptions, withFacts } from '../options/shared.ts';
import { decimal, integer } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

interface GenerateOptions extends ChainOptions, SourceOptions, FactsOptions, ModelChoice, ModelFileOptions {
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly tokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly classes?: readonly number[];
  readonly count: number;
  readonly seed: string;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  $ assay generate --federation 0x5FbD.. --prompt 'export function ' --tokens 100
  $ assay generate --federation 0x5FbD.. --prompt-file start.sol --temperature 0.2 --out completed.sol
  $ assay generate --federation 0x5FbD.. --classes 0,1,2 --count 10 --out digits.png
  $ assay generate --federation 0x5FbD.. --prompt '// ' --round 3 --seed another --json facts.json

The same model, settings and seed give the same tokens and images.`;

export function addGenerateCommand(program: Command): void {
  withFacts(withConfigFile(withModelFiles(withModelChoice(program.command('generate')))))
    .description("Sample from a federation's generative model, fetched and verified against the chain.")
    .option('--prompt <text>', 'text that a language model continues')
    .option('--prompt-file <file>', 'a file that it continues')
    .option('--tokens <n>', 'tokens to add', integer(1, 100_000), 100)
    .option(
      '--temperature <t>',
      'below 1 likelier tokens and images more alike; 0 the likeliest token, one image per class',
      decimal(0, 100),
      DEFAULT_SAMPLING.temperature,
    )
    .option('--top-k <k>', 'draw among the k likeliest tokens; 0 for all', integer(0), DEFAULT_SAMPLING.topK)
    .option(
      '--top-p <p>',
      'draw among the fewest tokens of this probability together',
      decimal(0, 1),
      DEFAULT_SAMPLING.topP,
    )
    .option('--classes <list>', 'classes that an image generator draws, such as 0,1,2; default: all', classList)
    .option('--count <n>', 'images of each class', integer(1, 1000), 10)
    .option('--seed <text>', 'seed of what is drawn by chance', 'assay')
    .option('--out <file>', 'file for the text, prompt included, or for the images as PNG')
    .addHelpText('after', EXAMPLES)
    .action(runGenerate);
}

async function runGenerate(options: GenerateOptions): Promise<void> {
  checkSampling(options);
  const prompt = await readPrompt(options);
  const fetched = await fetchModel(options, (text) => process.stderr.write(`${text}\n`));
  const { manifest, weights, metadata, material } = fetched;
  process.stderr.write(`round ${metadata.round}, ${weights.length} parameters, root ${metadata.modelRoot}: verified\n`);
  refuseBodies(manifest, 'assay generate');
  const whole = wholeModel(manifest.model, weights, material?.frozen);
  const open = await openModel(whole.spec, whole.weights);
  try {
    if (open.model.task === 'image-generation') {
      isGenerator(open, 'image-generation');
      await draw(open, options, fetched);
    } else {
      isGenerator(open, 'language-model');
      await write(open, options, fetched, prompt);
    }
  } finally {
    open.close();
  }
}

/** Shows the text as it grows. */
async function write(
  open: OpenModel<LanguageModel>,
  options: GenerateOptions,
  fetched: FetchedModel,
  prompt: Uint8Array | null,
): Promise<void> {
  if (prompt === null || prompt.length === 0) {
    throw new AssayError('PROMPT', {
      summary: 'a language model needs something to continue',
      expected: '--prompt TEXT or --prompt-file FILE, not empty',
      received: prompt === null ? 'neither' : 'nothing',
    });
  }
  const { tokens: count, seed, out, temperature, topK, topP } = options;
  const tokenizer = createTokenizer((fetched.manifest.data as TextData).tokenizer);
  const sampling = { temperature, topK, topP };
  const text = continueText(open, tokenizer.encode(prompt), sampling, createRandom(seed, 'generate'), DOCUMENT_END);
  const tokens: number[] = [];
  process.stdout.write(prompt);
  for (const token of text) {
    tokens.push(token);
    process.stdout.write(tokenizer.decode([token]));
    if (tokens.length === count) break;
  }
  process.stdout.write('\n');
  const added = tokenizer.decode(tokens);
  if (out !== undefined) await writeFileAtomic(out, Buffer.concat([prompt, added]));
  await writeFacts(options.json, {
    ...sharedFacts(options, fetched),
    prompt: Buffer.from(prompt).toString(),
    completion: Buffer.from(added).toString(),
    tokens,
    classes: null,
    out: out ?? null,
  });
}

/** A row of images for each class. */
async function draw(open: OpenModel<ImageGenerator>, options: GenerateOptions, fetched: FetchedModel): Promise<void> {
  const { seed, count, out, temperature } = options;
  const { inputs } = open.model;
  const side = Math.sqrt(inputs);
  if (out === undefined || !Number.isInteger(side)) {
    throw new AssayError('IMAGE_FILE', {
      summary: 'images are written into a file, as squares',
      expected: '--out FILE.png, and a model of square images',
      received: out === undefined ? 'no --out' : `${inputs} pixels`,
    });
  }
  const classes = options.classes ?? Array.from({ length: open.model.classes }, (_, label) => label);
  const labels = classes.flatMap((label) => new Array<number>(count).fill(label));
  const pixels = drawImages(open, labels, createRandom(seed, 'generate'), temperature);
  const images = labels.map((_, i) => pixels.subarray(i * inputs, (i + 1) * inputs));
  await writeFileAtomic(out, encodePng(layOut(images, side, count)));
  process.stdout.write(`${out}: ${images.length} images, a row for each of the classes ${classes.join(', ')}\n`);
  await writeFacts(options.json, {
    ...sharedFacts(options, fetched),
    prompt: null,
    completion: null,
    tokens: null,
    classes,
    out,
  });
}

/** What is told of every sampling: where the model comes from, and the settings. */
function sharedFacts({ seed, temperature, topK, topP }: GenerateOptions, { manifest, metadata }: FetchedModel) {
  const round = Number(metadata.round);
  return { command: 'generate', ...metadata, round, task: manifest.task, seed, temperature, topK, topP };
}

async function readPrompt({ prompt, promptFile }: GenerateOptions): Promise<Uint8Array | null> {
  if (promptFile === undefined) return prompt === undefined ? null : new TextEncoder().encode(prompt);
  if (prompt !== undefined) {
    throw new AssayError('PROMPT', { summary: 'two prompts', expected: '--prompt or --prompt-file', received: 'both' });
  }
  return readFile(promptFile).catch((cause) => {
    throw new AssayError('PROMPT', {
      summary: 'the prompt cannot be read',
      expected: 'a file',
      received: `${promptFile}: ${(cause as { code?: unknown }).code ?? cause}`,
      cause,
    });
  });
}

function classList(text: string): number[] {
  const classes = text.split(',').map((item) => Number(item.trim() || Number.NaN));
  if (classes.every((label) => Number.isInteger(label) && label >= 0)) return classes;
  throw new InvalidArgumentError('Expected classes as whole numbers from 0 on, such as 0,1,2.');
}

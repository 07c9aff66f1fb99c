/** `assay tokenizer`: a byte-pair tokeniser trained on text, for the manifest of a language model. */
import type { Command } from 'commander';
import { isTextSpec, parseDataset } from '../../client/datasets/loadSilo.ts';
import { readDocuments } from '../../client/datasets/text/readDocuments.ts';
import type { TextDocument } from '../../client/datasets/text/textDataset.ts';
import { createTokenizer } from '../../client/datasets/text/tokenizer.ts';
import { trainTokenizer } from '../../client/datasets/text/trainTokenizer.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { collect, integer } from '../options/values.ts';

interface TokenizerOptions {
  readonly dataset: readonly string[];
  readonly vocabulary: number;
  readonly out: string;
}

const EXAMPLES = `
Examples:
  $ assay tokenizer --dataset 'text:public/code?ext=ts,js' --out tokenizer.json
  $ assay tokenizer --dataset 'package:viem?ext=ts' --dataset 'package:zod?ext=ts' --vocabulary 2048 --out tokenizer.json

The tokeniser becomes part of the manifest, which everybody reads, and its tokens are pieces of this text: train it on text
that is public.`;

export function addTokenizerCommand(program: Command): void {
  program
    .command('tokenizer')
    .description('Train a tokeniser on text, for assay deploy --tokenizer.')
    .option('--dataset <spec>', 'text:FOLDER or package:NAME, named as for assay client; repeatable', collect, [])
    .option(
      '--vocabulary <n>',
      'tokens at most: 256 bytes, the end of a document, and the merges',
      integer(257, 65_536),
      1024,
    )
    .requiredOption('--out <file>', 'file to write')
    .addHelpText('after', EXAMPLES)
    .action(runTokenizer);
}

async function runTokenizer({ dataset, vocabulary, out }: TokenizerOptions): Promise<void> {
  const documents: TextDocument[] = [];
  for (const text of dataset) {
    const spec = parseDataset(text);
    if (!isTextSpec(spec)) throw notText(text);
    documents.push(...(await readDocuments(spec, 'assay tokenizer')));
  }
  if (documents.length === 0) throw notText('none');
  const tokenizer = trainTokenizer(
    documents.map(({ bytes }) => bytes),
    vocabulary,
  );
  await writeFileAtomic(out, `${JSON.stringify(tokenizer)}\n`);
  const { encode } = createTokenizer(tokenizer);
  const bytes = documents.reduce((sum, document) => sum + document.bytes.length, 0);
  const tokens = documents.reduce((sum, document) => sum + encode(document.bytes).length, 0);
  process.stdout.write(
    `${out}: ${257 + tokenizer.merges.length} tokens from ${documents.length} files, ${(bytes / tokens).toFixed(2)} bytes per token\n`,
  );
}

function notText(received: string): AssayError {
  return new AssayError('DATASET_SPEC', {
    summary: 'a tokeniser is trained on text',
    expected: '--dataset text:FOLDER or --dataset package:NAME',
    received,
  });
}

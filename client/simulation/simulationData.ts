/** The data of a grid, read once: samples, or text with the tokeniser that its federation would publish. */
import type { TextData } from '../../protocol/encoding/manifest.ts';
import type { DatasetSplit } from '../datasets/dataset.ts';
import { isTextSpec, loadSamples, parseDataset } from '../datasets/loadSilo.ts';
import { type Corpus, loadCorpus } from '../datasets/text/corpus.ts';
import { encodeText } from '../datasets/text/loadText.ts';
import { publicTokenizer } from '../datasets/text/publicText.ts';
import type { TextDataset } from '../datasets/text/textDataset.ts';
import { createTokenizer } from '../datasets/text/tokenizer.ts';
import type { Cell } from './cell.ts';
import { standInData } from './modelChoice.ts';

/** Text that is dealt out to participants by documents. */
export interface SimulatedText {
  readonly corpus: Corpus;
  /** As the manifest would have it. */
  readonly data: TextData;
  readonly test: TextDataset;
}

export type SimulationData = DatasetSplit | SimulatedText;

export function isSimulatedText(data: SimulationData): data is SimulatedText {
  return 'corpus' in data;
}

/** Which files stand for a package and which are held out: as nodes have it that are told no --data-seed. */
const TEXT_SEED = 'assay';

/** @throws AssayError as the readers of data sets and `publicTokenizer` do */
export async function loadSimulationData(
  cell: Pick<Cell, 'dataset' | 'tokenizer' | 'model' | 'hidden' | 'activation'>,
  cacheFolder: string,
): Promise<SimulationData> {
  const { dataset, tokenizer } = cell;
  const spec = parseDataset(dataset);
  if (!isTextSpec(spec)) return loadSamples(spec, { cacheFolder, seed: 'assay simulate' });
  const corpus = await loadCorpus(spec, TEXT_SEED);
  const { context } = standInData(cell) as TextData;
  const data: TextData = { context, tokenizer: await publicTokenizer(tokenizer?.dataset, tokenizer?.vocabulary) };
  const encoder = createTokenizer(data.tokenizer);
  return { corpus, data, test: encodeText(`${corpus.name} (held out)`, corpus.heldOut, encoder, data.context) };
}

import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { SeedPart } from '../random.ts';
import { type CsvOptions, loadCsv } from './csv.ts';
import type { DatasetSplit } from './dataset.ts';
import { loadMnist } from './mnist.ts';
import { PACKAGE_EXPECTED, type PackageSpec, parsePackages } from './packages/packageSpec.ts';
import { parsePartition, takeSilo } from './partition/partition.ts';
import { holdOut } from './split.ts';
import { standardizeSplit } from './standardize.ts';
import { loadText } from './text/loadText.ts';
import { isText, type TextSplit } from './text/textDataset.ts';
import { parseText, TEXT_EXPECTED, type TextSpec } from './text/textSpec.ts';

/** Where samples come from, parsed from the command line or a config file. */
export type SampleSpec =
  | { readonly kind: 'mnist' }
  | {
      readonly kind: 'csv';
      readonly path: string;
      readonly options: CsvOptions;
      /** Share of samples held out for evaluation. */
      readonly holdOut: number;
      readonly standardize: boolean;
    };

/** Where samples or texts come from. */
export type DatasetSpec = SampleSpec | TextSpec | PackageSpec;

const SAMPLES_EXPECTED =
  'mnist, or csv:PATH?label=COLUMN with optional &classes=a,b &columns=a,b &ignore=a,b &holdout=0.2 &standardize=true';
const EXPECTED = `${SAMPLES_EXPECTED}; for text ${TEXT_EXPECTED}, or ${PACKAGE_EXPECTED}`;
const CSV_SETTINGS = ['label', 'classes', 'columns', 'ignore', 'holdout', 'standardize'];

/**
 * Parses a data set's name.
 *
 * @throws AssayError DATASET_SPEC
 *
 * @example
 * parseDataset('csv:wards/north.csv?label=outcome&classes=home,ward&ignore=patient&standardize=true');
 */
export function parseDataset(text: string): DatasetSpec {
  if (text.startsWith('text:')) return parseText(text);
  if (text.startsWith('package:')) return parsePackages(text);
  return parseSamples(text);
}

/** Whether it is text, which a language model learns from. */
export function isTextSpec(spec: DatasetSpec): spec is TextSpec | PackageSpec {
  return spec.kind === 'text' || spec.kind === 'package';
}

function parseSamples(text: string): SampleSpec {
  if (text === 'mnist') return { kind: 'mnist' };
  const match = /^csv:([^?]+)\?(.+)$/.exec(text);
  if (match === null) throw specError(text, 'choose one of these');
  const settings = new URLSearchParams(match[2]!);
  const unknown = [...settings.keys()].find((key) => !CSV_SETTINGS.includes(key));
  if (unknown !== undefined) throw specError(text, `there is no setting ${unknown}=`);
  const list = (key: string) =>
    settings
      .get(key)
      ?.split(',')
      .map((item) => item.trim());
  const label = settings.get('label');
  if (label === null || label === '') throw specError(text, 'name the column of the classes with label=');
  const share = Number(settings.get('holdout') ?? '0.2');
  if (!(share > 0 && share < 1)) throw specError(text, 'holdout= is a share between 0 and 1');
  const standardizes = settings.get('standardize') ?? 'false';
  if (standardizes !== 'true' && standardizes !== 'false') throw specError(text, 'standardize= is true or false');
  const classes = list('classes');
  const columns = list('columns');
  const ignore = list('ignore');
  return {
    kind: 'csv',
    path: match[1]!,
    options: { label, ...(classes && { classes }), ...(columns && { columns }), ...(ignore && { ignore }) },
    holdOut: share,
    standardize: standardizes === 'true',
  };
}

export interface SiloOptions {
  /** `mnist`, `csv:PATH?label=COLUMN`, `text:FOLDER` or `package:NAME`. */
  readonly dataset: string;
  /** `by-file`, `iid` or `dirichlet:0.5`. */
  readonly partition: string;
  /** 0-based. */
  readonly silo: number;
  readonly silos: number;
  /** The same in every silo. */
  readonly seed: SeedPart;
  /** Folder for prepared data sets. */
  readonly cacheFolder: string;
  /**
   * What the manifest says about data: its tokeniser makes tokens of texts, and a table with numbered labels need not
   * hold every one of its classes.
   */
  readonly data?: Manifest['data'];
}

/** Data with the part kept away from training. */
export type AnySplit = DatasetSplit | TextSplit;

/**
 * One silo's data and the held-out data. Text is not dealt out: each silo names its own.
 *
 * @throws AssayError as the parsers and readers below it do
 */
export async function loadSilo(options: SiloOptions): Promise<AnySplit> {
  const partition = parsePartition(options.partition);
  const whole = await loadDataset(parseDataset(options.dataset), options);
  if (isTextSplit(whole)) {
    if (partition.kind === 'byFile') return whole;
    throw new AssayError('PARTITION_TEXT', {
      summary: 'text is not dealt out to silos',
      expected: '--partition by-file: each silo names its own folder or package',
      received: options.partition,
    });
  }
  const train = takeSilo(whole.train, partition, options.silo, options.silos, options.seed);
  return { train, test: whole.test };
}

/** All of a data set, with its held-out part. */
export async function loadDataset(
  spec: DatasetSpec,
  options: Pick<SiloOptions, 'cacheFolder' | 'seed' | 'data'>,
): Promise<AnySplit> {
  const { data, seed } = options;
  if (!isTextSpec(spec)) return loadSamples(spec, options);
  if (data === undefined || !('tokenizer' in data)) {
    throw new AssayError('DATASET_TEXT', {
      summary: 'text needs the tokeniser of a language model',
      expected: "a federation whose manifest's task is language-model",
      received: 'one that learns from samples',
      fix: 'choose mnist or csv:..., or another federation',
    });
  }
  return loadText(spec, data, seed);
}

/** All samples of a data set, with its held-out part. */
export async function loadSamples(
  spec: SampleSpec,
  { cacheFolder, seed, data }: Pick<SiloOptions, 'cacheFolder' | 'seed' | 'data'>,
): Promise<DatasetSplit> {
  if (spec.kind === 'mnist') return loadMnist(cacheFolder);
  const table = await loadCsv(spec.path, spec.options);
  const classes = data !== undefined && 'classes' in data ? data.classes : table.classes;
  const numbered = spec.options.classes === undefined && table.classes < classes;
  const split = holdOut(numbered ? { ...table, classes } : table, spec.holdOut, seed);
  return spec.standardize ? standardizeSplit(split) : split;
}

function isTextSplit(split: AnySplit): split is TextSplit {
  return isText(split.train);
}

function specError(text: string, fix: string): AssayError {
  return new AssayError('DATASET_SPEC', {
    summary: 'that is not a data set',
    expected: EXPECTED,
    received: JSON.stringify(text),
    fix,
  });
}

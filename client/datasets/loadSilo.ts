import { AssayError } from '../../protocol/errors.ts';
import type { SeedPart } from '../random.ts';
import { type CsvOptions, loadCsv } from './csv.ts';
import type { DatasetSplit } from './dataset.ts';
import { loadMnist } from './mnist.ts';
import { parsePartition, takeSilo } from './partition/partition.ts';
import { holdOut } from './split.ts';
import { standardizeSplit } from './standardize.ts';

/** Where samples come from, parsed from the command line or a config file. */
export type DatasetSpec =
  | { readonly kind: 'mnist' }
  | {
      readonly kind: 'csv';
      readonly path: string;
      readonly options: CsvOptions;
      /** Share of samples held out for evaluation. */
      readonly holdOut: number;
      readonly standardize: boolean;
    };

const EXPECTED =
  'mnist, or csv:PATH?label=COLUMN with optional &classes=a,b &columns=a,b &ignore=a,b &holdout=0.2 &standardize=true';
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
  if (text === 'mnist') return { kind: 'mnist' };
  const match = /^csv:([^?]+)\?(.+)$/.exec(text);
  if (match === null) throw specError(text, 'choose one of the two');
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
  /** `mnist` or `csv:PATH?label=COLUMN`. */
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
  /** The manifest's number of classes: a table with numbered labels need not hold every one of them. */
  readonly classes?: number;
}

/** One silo's training samples and the held-out samples. @throws AssayError as the parsers and readers below it do */
export async function loadSilo(options: SiloOptions): Promise<DatasetSplit> {
  const partition = parsePartition(options.partition);
  const whole = await loadDataset(parseDataset(options.dataset), options);
  const train = takeSilo(whole.train, partition, options.silo, options.silos, options.seed);
  return { train, test: whole.test };
}

/** All samples of a data set, with its held-out part. */
export async function loadDataset(
  spec: DatasetSpec,
  { cacheFolder, seed, classes }: Pick<SiloOptions, 'cacheFolder' | 'seed' | 'classes'>,
): Promise<DatasetSplit> {
  if (spec.kind === 'mnist') return loadMnist(cacheFolder);
  const table = await loadCsv(spec.path, spec.options);
  const numbered = spec.options.classes === undefined && classes !== undefined && table.classes < classes;
  const split = holdOut(numbered ? { ...table, classes } : table, spec.holdOut, seed);
  return spec.standardize ? standardizeSplit(split) : split;
}

function specError(text: string, fix: string): AssayError {
  return new AssayError('DATASET_SPEC', {
    summary: 'that is not a data set',
    expected: EXPECTED,
    received: JSON.stringify(text),
    fix,
  });
}

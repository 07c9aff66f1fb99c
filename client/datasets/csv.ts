import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AssayError } from '../../protocol/errors.ts';
import type { Dataset } from './dataset.ts';

export interface CsvOptions {
  /** Name of the column that holds the class. */
  readonly label: string;
  /**
   * Class names in the order of the federation's labels. Every silo must use the same list: two silos that numbered
   * their classes by themselves would teach the model contradictions. Without it, labels must be the integers 0, 1, 2,
   * ... themselves.
   */
  readonly classes?: readonly string[];
  /** Columns to use as features, in order; all but the label otherwise. */
  readonly columns?: readonly string[];
  /** Columns to leave out, for instance a patient number. */
  readonly ignore?: readonly string[];
}

/**
 * A table of the user's own: RFC 4180 (comma, optional quotes), UTF-8, first line names the columns, every feature a
 * number. Nothing is guessed: a cell that is empty or not a number is an error that names its line and column, never a
 * zero.
 *
 * @throws AssayError CSV_READ, CSV_EMPTY, CSV_COLUMNS, CSV_QUOTE, CSV_CELL, CSV_LABEL
 */
export async function loadCsv(path: string, options: CsvOptions): Promise<Dataset> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw new AssayError('CSV_READ', {
      summary: `the table ${path} cannot be read`,
      expected: 'a readable CSV file in UTF-8',
      received: cause instanceof Error ? cause.message : String(cause),
      fix: 'check the path, its permissions and its encoding',
      cause,
    });
  }
  return parseCsv(text, basename(path), options);
}

/** The same from text; `file` is its name in messages. */
export function parseCsv(text: string, file: string, options: CsvOptions): Dataset {
  const lines = splitCsv(text, file);
  const [header, ...rows] = lines;
  if (header === undefined || rows.length === 0) {
    throw new AssayError('CSV_EMPTY', {
      summary: `${file} holds no data`,
      expected: 'a line of column names and at least one line of values',
      received: header === undefined ? 'an empty file' : 'column names only',
      fix: 'export the table again, with its header',
    });
  }
  const names = header.cells.map((name) => name.trim());
  const duplicate = names.find((name, i) => names.indexOf(name) !== i);
  if (duplicate !== undefined) {
    throw columnError(
      file,
      `the column ${JSON.stringify(duplicate)} appears twice`,
      'every column name once',
      names,
      'rename one of the two',
    );
  }
  const find = (name: string): number => {
    const column = names.indexOf(name);
    if (column >= 0) return column;
    throw columnError(
      file,
      `there is no column ${JSON.stringify(name)}`,
      `one of ${names.join(', ')}`,
      [name],
      'check the spelling',
    );
  };
  const labelColumn = find(options.label);
  const ignored = new Set((options.ignore ?? []).map(find));
  const columns =
    options.columns?.map(find) ?? names.map((_, i) => i).filter((i) => i !== labelColumn && !ignored.has(i));
  if (columns.length === 0 || columns.includes(labelColumn)) {
    throw columnError(
      file,
      'the feature columns are not usable',
      'at least one column, the label not among them',
      names,
      'name the feature columns',
    );
  }

  const x = new Float32Array(rows.length * columns.length);
  const y = new Int32Array(rows.length);
  rows.forEach(({ line, cells }, row) => {
    if (cells.length !== names.length) {
      throw new AssayError('CSV_COLUMNS', {
        summary: `line ${line} of ${file} has the wrong number of cells`,
        expected: `${names.length}, as in the header`,
        received: String(cells.length),
        fix: 'look for a missing or an unquoted comma in that line',
      });
    }
    columns.forEach((column, i) => {
      x[row * columns.length + i] = parseCell(cells[column]!, file, line, names[column]!);
    });
    y[row] = parseLabel(cells[labelColumn]!.trim(), file, line, options);
  });
  const classes = options.classes?.length ?? y.reduce((largest, label) => Math.max(largest, label), 0) + 1;
  return {
    name: `csv:${file}`,
    features: columns.length,
    classes,
    size: rows.length,
    x,
    y,
    scale: 1,
    ...(options.classes === undefined ? {} : { classNames: options.classes }),
  };
}

function parseCell(cell: string, file: string, line: number, column: string): number {
  const text = cell.trim();
  const value = Math.fround(Number(text));
  // Number() also takes '0x1f', which no exporter of tables writes on purpose.
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) && Number.isFinite(value)) return value;
  const problem = text === '' ? 'the cell is empty' : 'the cell is not a usable number';
  throw new AssayError('CSV_CELL', {
    summary: `line ${line} of ${file}, column ${JSON.stringify(column)}: ${problem}`,
    expected: 'a decimal number such as 3, -0.5 or 1e-3',
    received: text === '' ? 'nothing' : JSON.stringify(text),
    fix: 'fill the cell in, remove the line, or leave the column out with ignore=',
  });
}

function parseLabel(text: string, file: string, line: number, { label, classes }: CsvOptions): number {
  const known = classes === undefined ? (/^\d{1,4}$/.test(text) ? Number(text) : -1) : classes.indexOf(text);
  if (known >= 0) return known;
  throw new AssayError('CSV_LABEL', {
    summary: `line ${line} of ${file}, column ${JSON.stringify(label)}: unknown class`,
    expected: classes === undefined ? 'the number of a class: 0, 1, 2, ...' : `one of ${classes.join(', ')}`,
    received: text === '' ? 'nothing' : JSON.stringify(text),
    fix:
      classes === undefined
        ? 'name the classes, the same list in every silo: classes=benign,malign'
        : 'correct the cell or extend the list in every silo',
  });
}

function columnError(
  file: string,
  summary: string,
  expected: string,
  received: readonly string[],
  fix: string,
): AssayError {
  return new AssayError('CSV_COLUMNS', {
    summary: `${file}: ${summary}`,
    expected,
    received: received.join(', '),
    fix,
  });
}

interface CsvLine {
  /** 1-based line of the file where it starts. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** RFC 4180: cells in double quotes may hold commas, line breaks and doubled quotes. Empty lines are skipped. */
function splitCsv(text: string, file: string): CsvLine[] {
  const lines: CsvLine[] = [];
  let cells: string[] = [];
  let cell = '';
  let quotedSince = 0;
  let line = 1;
  let startLine = 1;
  const endLine = () => {
    if (cells.length > 0 || cell.trim() !== '') lines.push({ line: startLine, cells: [...cells, cell] });
    cells = [];
    cell = '';
  };
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\n') line++;
    if (quotedSince > 0) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') cell += text[++i];
      else quotedSince = 0;
    } else if (character === '"' && cell === '') quotedSince = line;
    else if (character === ',') {
      cells.push(cell);
      cell = '';
    } else if (character === '\n') {
      endLine();
      startLine = line;
    } else if (character !== '\r') cell += character;
  }
  if (quotedSince > 0) {
    throw new AssayError('CSV_QUOTE', {
      summary: `${file}: a quote opened in line ${quotedSince} is never closed`,
      expected: 'a closing double quote',
      received: 'the end of the file',
      fix: 'close it, or double a quote that belongs to the text',
    });
  }
  endLine();
  return lines;
}

/** Numbers and tables for the terminal and for docs/benchmarks.md. */

/** `20 x 1M`. */
export function size(n: number, dimension: number): string {
  const d = dimension >= 1e6 ? `${dimension / 1e6}M` : dimension >= 1e3 ? `${dimension / 1e3}k` : String(dimension);
  return `${n} x ${d}`;
}

/** Three digits that count: 4.31, 43.1, 431, 4310. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function times(value: number): string {
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} x`;
}

export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row) => string;
}

/** The first column to the left, all others to the right. */
export function headLine<Row>(columns: readonly Column<Row>[]): string {
  return line(columns, ({ title }) => title);
}

export function rowLine<Row>(columns: readonly Column<Row>[], row: Row): string {
  return line(columns, ({ cell }) => cell(row));
}

function line<Row>(columns: readonly Column<Row>[], text: (column: Column<Row>) => string): string {
  return columns
    .map((column, i) => (i === 0 ? text(column).padEnd(column.width) : text(column).padStart(column.width)))
    .join('  ');
}

/** A table of Markdown. */
export function markdown<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  return [
    cells(columns.map(({ title }) => title)),
    cells(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row) => cells(columns.map(({ cell }) => cell(row)))),
  ].join('\n');
}

/**
 * A grid's results as one page that needs nothing else: a map of what the last models do, rule by attack, and the same by
 * round of every rule, one small chart per attack. Plain SVG.
 */
import { type Scale, scaleOf } from './plotScale.ts';
import { alphaLabel, attackLabel, measureRows, type ResultTable } from './tables.ts';

const COLOURS = ['#1b6ca8', '#c8553d', '#2a9d5c', '#8e5ea2', '#d09a1c', '#3aa6a6', '#7a7a7a', '#b0306a', '#5b7f1e'];
const CELL_WIDTH = 76;
const CELL_HEIGHT = 26;
const LABEL_WIDTH = 240;
const CHART = { width: 300, height: 190, left: 46, bottom: 24, top: 22, right: 8 };
const CHARTS_PER_ROW = 3;

export function plotPage(title: string, tables: readonly ResultTable[]): string {
  const { title: measured = 'Accuracy', heldOut = 'samples' } = tables[0]?.measure ?? {};
  const body = tables.flatMap((table) => {
    const scale = scaleOf(table);
    return [`<h2>${escapeHtml(alphaLabel(table.alpha))}</h2>`, heatMap(table, scale), curves(table, scale)];
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:14px system-ui,sans-serif;margin:24px;color:#222}svg{display:block;margin:12px 0}text{font:12px system-ui,sans-serif}</style>
</head><body><h1>${escapeHtml(title)}</h1>
<p>${measured} of the last model on held-out ${heldOut}, mean over seeds; below it ${measured === 'Accuracy' ? 'accuracy' : 'the same'} by round.</p>
${body.join('\n')}
</body></html>
`;
}

function heatMap(table: ResultTable, scale: Scale): string {
  const [head = [], ...rows] = measureRows(table);
  const width = LABEL_WIDTH + CELL_WIDTH * (head.length - 1);
  const height = CELL_HEIGHT * (rows.length + 1);
  const parts = head
    .slice(1)
    .map((name, i) => text(LABEL_WIDTH + CELL_WIDTH * (i + 0.5), CELL_HEIGHT - 9, name, 'middle', ' font-size="10"'));
  rows.forEach(([rule = '', ...values], r) => {
    const y = CELL_HEIGHT * (r + 1);
    parts.push(text(LABEL_WIDTH - 8, y + 17, rule, 'end'));
    values.forEach((value, i) => {
      const x = LABEL_WIDTH + CELL_WIDTH * i;
      const good = scale.goodness(value);
      parts.push(
        `<rect x="${x}" y="${y}" width="${CELL_WIDTH - 2}" height="${CELL_HEIGHT - 2}" fill="${heat(good)}"/>`,
        text(x + CELL_WIDTH / 2 - 1, y + 16, value, 'middle', good < 0.55 ? ' fill="#fff"' : ''),
      );
    });
  });
  return svg(width, height, parts);
}

/** From dark red at 0 over yellow to green at 1. */
function heat(good: number): string {
  const hue = Number.isFinite(good) ? Math.round(130 * Math.max(0, Math.min(1, good)) ** 2) : 0;
  const light = Number.isFinite(good) ? Math.round(30 + 42 * Math.max(0, Math.min(1, good))) : 90;
  return `hsl(${hue},60%,${light}%)`;
}

function curves(table: ResultTable, scale: Scale): string {
  const { attacks, rows } = table;
  const parts: string[] = [];
  attacks.forEach((attack, a) => {
    const x0 = (a % CHARTS_PER_ROW) * CHART.width;
    const y0 = Math.floor(a / CHARTS_PER_ROW) * CHART.height;
    const rounds = rows[0]?.entries[a]?.curve.at(-1)?.round ?? 1;
    parts.push(`<g transform="translate(${x0},${y0})">`, ...axes(attackLabel(attack), rounds, scale));
    rows.forEach(({ entries }, r) => {
      const { curve } = entries[a]!;
      const last = curve.at(-1)?.round ?? 1;
      const points = curve.map(({ round, value }) => `${place(round / last, 0).x},${place(0, scale.height(value)).y}`);
      parts.push(
        `<polyline fill="none" stroke="${COLOURS[r % COLOURS.length]}" stroke-width="1.5"${dash(r)} points="${points.join(' ')}"/>`,
      );
    });
    parts.push('</g>');
  });
  const chartsHeight = Math.ceil(attacks.length / CHARTS_PER_ROW) * CHART.height;
  rows.forEach(({ rule }, r) => {
    const x = 20 + (r % CHARTS_PER_ROW) * CHART.width;
    const y = chartsHeight + 18 * (Math.floor(r / CHARTS_PER_ROW) + 1);
    parts.push(
      `<line x1="${x}" y1="${y - 4}" x2="${x + 24}" y2="${y - 4}" stroke="${COLOURS[r % COLOURS.length]}" stroke-width="2"${dash(r)}/>`,
      text(x + 30, y, rule, 'start'),
    );
  });
  return svg(CHARTS_PER_ROW * CHART.width, chartsHeight + 18 * (Math.ceil(rows.length / CHARTS_PER_ROW) + 1), parts);
}

/** Colours repeat with another pattern. */
function dash(row: number): string {
  const turn = Math.floor(row / COLOURS.length);
  return turn === 0 ? '' : ` stroke-dasharray="${turn === 1 ? '5 3' : '2 2'}"`;
}

/** @param up 0 at the bottom, 1 at the top */
function place(part: number, up: number): { x: string; y: string } {
  const { width, height, left, right, top, bottom } = CHART;
  return {
    x: (left + part * (width - left - right)).toFixed(1),
    y: (height - bottom - up * (height - top - bottom)).toFixed(1),
  };
}

function axes(title: string, rounds: number, scale: Scale): string[] {
  const lines = [0, 0.5, 1].flatMap((up) => {
    const { y } = place(0, up);
    return [
      `<line x1="${place(0, 0).x}" y1="${y}" x2="${place(1, 0).x}" y2="${y}" stroke="#ddd"/>`,
      text(CHART.left - 6, Number(y) + 4, scale.tick(up), 'end'),
    ];
  });
  const below = CHART.height - CHART.bottom + 15;
  return [
    ...lines,
    text(CHART.left, below, '0', 'middle'),
    text(CHART.width - CHART.right, below, `round ${rounds}`, 'end'),
    text(CHART.width / 2, 14, title, 'middle', ' font-weight="bold"'),
  ];
}

function svg(width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join('')}</svg>`;
}

function text(x: number, y: number, content: string, anchor: string, more = ''): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escapeHtml(content)}</text>`;
}

function escapeHtml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

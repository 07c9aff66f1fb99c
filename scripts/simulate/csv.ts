/** One line per cell, for spreadsheets and data frames. */
import { ruleLabel } from '../../client/simulation/cell.ts';
import type { FinishedCell } from '../../client/simulation/journal.ts';

const HEADING = [
  'alpha',
  'rule',
  'attack',
  'seed',
  'finalAccuracy',
  'bestAccuracy',
  'backdoorSuccess',
  'meanLeftOut',
  'mostLeftOut',
  'leastShare',
  'attackerShare',
  'refused',
  'abandoned',
  'modelRoot',
];

export function csv(finished: readonly FinishedCell[]): string {
  const rows = finished.map(({ cell, result }) => {
    const { leftOut, share } = result;
    return [
      cell.alpha,
      ruleLabel(cell),
      cell.attack ?? 'none',
      cell.seed,
      result.finalAccuracy,
      result.bestAccuracy,
      result.backdoorSuccess,
      leftOut.reduce((sum, part) => sum + part, 0) / leftOut.length,
      Math.max(...leftOut),
      Math.min(...share),
      result.attackerShare,
      result.refused,
      result.abandoned,
      result.modelRoot,
    ];
  });
  return [HEADING, ...rows]
    .map((row) => row.map(field).join(','))
    .join('\n')
    .concat('\n');
}

/** RFC 4180; nothing for null. */
function field(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

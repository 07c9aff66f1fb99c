/** Results as lines, for spreadsheets and data frames: one per cell, and one per participant of each cell. */
import { ruleLabel } from '../../client/simulation/cell.ts';
import type { FinishedCell } from '../../client/simulation/journal.ts';
import { measureOfCells } from './tables.ts';

const HEADING = [
  'alpha',
  'rule',
  'attack',
  'seed',
  'finalAccuracy',
  'finalLoss',
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

/** With a column for what the task is measured by, where that is not the accuracy. */
export function csv(finished: readonly FinishedCell[]): string {
  const measure = measureOfCells(finished);
  const more = measure.name !== 'accuracy';
  const rows = finished.map(({ cell, result }) => {
    const { leftOut, share } = result;
    return [
      cell.alpha,
      ruleLabel(cell),
      cell.attack ?? 'none',
      cell.seed,
      result.finalAccuracy,
      result.accuracy.at(-1)!.loss,
      result.bestAccuracy,
      result.backdoorSuccess,
      leftOut.reduce((sum, part) => sum + part, 0) / leftOut.length,
      Math.max(...leftOut),
      Math.min(...share),
      result.attackerShare,
      result.refused,
      result.abandoned,
      result.modelRoot,
      ...(more ? [measure.of(result.accuracy.at(-1)!)] : []),
    ];
  });
  return lines([
    [...HEADING, ...(more ? [`final${measure.name[0]!.toUpperCase()}${measure.name.slice(1)}`] : [])],
    ...rows,
  ]);
}

/** What the models of each cell do for every honest participant; nothing where a method does not apply. */
export function participantsCsv(finished: readonly FinishedCell[]): string {
  const all = finished.flatMap(({ cell, result }) => (result.participants ?? []).map((each) => ({ cell, each })));
  const methods = [...new Set(all.flatMap(({ each }) => Object.keys(each.personal)))];
  const heading = ['alpha', 'rule', 'attack', 'seed', 'participant', 'samples', 'heldOut', 'shared', ...methods];
  const rows = all.map(({ cell, each }) => [
    cell.alpha,
    ruleLabel(cell),
    cell.attack ?? 'none',
    cell.seed,
    each.index,
    each.samples,
    each.heldOut,
    each.shared,
    ...methods.map((method) => each.personal[method] ?? null),
  ]);
  return lines([heading, ...rows]);
}

function lines(rows: readonly (readonly (string | number | null)[])[]): string {
  return rows
    .map((row) => row.map(field).join(','))
    .join('\n')
    .concat('\n');
}

/** RFC 4180; nothing for null. */
function field(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The part of docs/training.md that the command writes; the rest of the page stays as it is. */

import { TARGET_COLUMNS } from '../tables.ts';
import { markdown } from '../text.ts';
import type { TrainBenchFacts } from './facts.ts';
import { BATCH, COMPARED_STEPS, SETTINGS } from './plan.ts';
import { trainColumns } from './tables.ts';

const BEGIN = '<!-- bench:train begins -->';
const END = '<!-- bench:train ends -->';

/** `page` with the tables between its two marks replaced. @throws Error when it has no marks */
export function replaceTables(page: string, facts: TrainBenchFacts): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} .. ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${renderTables(facts)}\n\n${page.slice(end)}`;
}

export function renderTables({ machine, engines, rows, targets }: TrainBenchFacts): string {
  const names = engines.map(({ engine }) => engine);
  const versions = engines.map(({ engine, version }) => `${engine}: ${version}`).join('; ');
  const commit = machine.commit === null ? '' : `, after commit ${machine.commit}`;
  const parts = [
    `${machine.processor}, ${machine.processors} processors, ${machine.system}, Node ${machine.node}${commit}. ${versions}.

Milliseconds of processor time per optimiser step, all threads of the process, batch ${BATCH}, SGD with momentum ${SETTINGS.momentum}: medians of turns that the engines take one after the other. *losses apart*: the largest difference between the losses of embedded and PyTorch over the first ${COMPARED_STEPS} steps from the same weights on the same batches, as part of the loss.`,
    markdown(trainColumns(names), rows),
  ];
  if (targets.length > 0) parts.push(markdown(TARGET_COLUMNS, targets));
  return parts.join('\n\n');
}

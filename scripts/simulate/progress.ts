/** How far a grid is: a bar on a terminal, one line per finished cell elsewhere. */
import type { SingleBar } from 'cli-progress';
import { ruleLabel } from '../../client/simulation/cell.ts';
import type { GridProgress } from '../../client/simulation/runGrid.ts';
import { terminalBar } from '../output/progressBar.ts';
import { seconds } from '../output/text.ts';
import { alphaLabel, attackLabel, measureOfCells } from './tables.ts';

export class GridProgressLine {
  private readonly bar: SingleBar | null;
  private readonly say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.say = say;
    this.bar = terminalBar('[{bar}] {value}/{total} cells, {eta_formatted} left | {label}');
  }

  show({ finished, total, last }: GridProgress): void {
    if (last === null) {
      if (finished < total) this.bar?.start(total, finished, { label: '' });
      return;
    }
    const { cell, result } = last;
    const measure = measureOfCells([last]);
    const label = `${alphaLabel(cell.alpha)} ${ruleLabel(cell)}, ${attackLabel(cell.attack)}, seed ${cell.seed}: ${measure.format(measure.of(result.accuracy.at(-1)!))}`;
    if (this.bar === null) this.say(`[${finished}/${total}] ${label} (${seconds(last.seconds)})`);
    else this.bar.update(finished, { label });
  }

  end(): void {
    this.bar?.stop();
  }
}

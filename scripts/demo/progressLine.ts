/** How far the current round is: a bar on a terminal, nothing in a log (there the finished rounds are the progress). */
import type { SingleBar } from 'cli-progress';
import { terminalBar } from '../output/progressBar.ts';
import type { RoundProgress } from './scoreboard.ts';

export class ProgressLine {
  private readonly bar: SingleBar | null;
  private readonly clients: number;
  /** What the bar is about; null while there is none. */
  private label: string | null = null;

  constructor(clients: number) {
    this.clients = clients;
    this.bar = terminalBar('{label} [{bar}] {stage}');
  }

  begin(label: string): void {
    this.label = label;
    this.bar?.start(3 * this.clients, 0, { label, stage: '' });
  }

  /** @param registered participants that have joined so far */
  show({ trained, committed, revealed }: RoundProgress, registered: number): void {
    if (this.label === null) return;
    const n = this.clients;
    const joining = registered < n ? `registered ${registered}/${n}, ` : '';
    const stage = `${joining}trained ${trained}/${n}, committed ${committed}/${n}, revealed ${revealed}/${n}`;
    this.bar?.update(trained + committed + revealed, { stage });
  }

  /** Removes the bar, prints, and shows the bar again. */
  interrupt(print: () => void): void {
    const { label } = this;
    this.end();
    print();
    if (label !== null) this.begin(label);
  }

  /** Removes the bar, so that a line can be printed. */
  end(): void {
    this.label = null;
    this.bar?.stop();
  }
}

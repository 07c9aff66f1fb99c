import { SingleBar } from 'cli-progress';

/** A bar on a terminal; nothing in a log, where lines say how far the work is. `format` as in cli-progress. */
export function terminalBar(format: string): SingleBar | null {
  if (process.stdout.isTTY !== true) return null;
  return new SingleBar({
    format,
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
  });
}

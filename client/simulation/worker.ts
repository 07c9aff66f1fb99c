/** A thread that computes cells, one after the other. The data are read once; nothing else touches the disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { AssayError } from '../../protocol/errors.ts';
import type { CellReply, CellRequest, WorkerSetup } from './runGrid.ts';
import { simulateCell } from './simulateCell.ts';
import { loadSimulationData } from './simulationData.ts';

const { common, cacheFolder } = workerData as WorkerSetup;
const port = parentPort!;
const data = loadSimulationData(common, cacheFolder);
// Whoever asks gets the error; unasked it must not end the thread.
data.catch(() => undefined);

port.on('message', ({ key, cell }: CellRequest) => {
  answer(cell).then(
    (reply) => port.postMessage(reply satisfies CellReply),
    (error: unknown) => port.postMessage({ error: describeError(error, key) } satisfies CellReply),
  );
});

async function answer(cell: CellRequest['cell']): Promise<CellReply> {
  const loaded = await data;
  const started = performance.now();
  const result = await simulateCell(cell, loaded);
  return { result, seconds: (performance.now() - started) / 1000 };
}

/** Errors cross the thread border as plain data: a class would arrive without its code. */
function describeError(error: unknown, key: string): Extract<CellReply, { error: unknown }>['error'] {
  if (error instanceof AssayError) {
    const { cause, ...details } = error.details;
    return { code: error.code, details: cause === undefined ? details : { ...details, cause: String(cause) } };
  }
  return {
    code: 'SIMULATION_FAILED',
    details: {
      summary: `cell ${key} failed: ${error instanceof Error ? error.message : String(error)}`,
      cause: error instanceof Error ? error.stack : undefined,
    },
  };
}

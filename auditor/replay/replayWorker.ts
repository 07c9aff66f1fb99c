/** The worker's side of `replayPool.ts`: one replay a message. */
import { parentPort } from 'node:worker_threads';
import { type ReplayInput, replayRound } from './replayRound.ts';

parentPort?.on('message', (input: ReplayInput) => {
  try {
    parentPort?.postMessage({ replay: replayRound(input) });
  } catch (error) {
    parentPort?.postMessage({ error });
  }
});

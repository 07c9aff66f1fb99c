import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { StartThread, ThreadReply } from './thread.ts';

/**
 * Worker threads, by Node. The import `#threads` names this file under Node and `threads.portable.ts` elsewhere. What
 * is computed does not depend on them (test/protocol/round/runRound.test.ts).
 */
export const PROCESSORS = availableParallelism();

export const startThread: StartThread = (setup, onReply, onDeath) => {
  const worker = new Worker(new URL('./blockThread.ts', import.meta.url), {
    workerData: setup,
    name: 'assay-round',
    execArgv: [], // what this process was started with (--eval, a profiler) is not for its threads
  });
  let reason = 'it ended without a word';
  let ended = false;
  worker.on('message', (reply: ThreadReply) => onReply(reply));
  worker.on('error', (error) => {
    reason = error instanceof Error ? error.message : String(error);
  });
  worker.once('exit', () => {
    if (!ended) onDeath(reason);
  });
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    keepAlive: (yes) => (yes ? worker.ref() : worker.unref()),
    end: async () => {
      ended = true;
      await worker.terminate();
    },
  };
};

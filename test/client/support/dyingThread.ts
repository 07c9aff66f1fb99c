/** A training thread that ends at its first request. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => {
  throw new Error('out of memory, say');
});

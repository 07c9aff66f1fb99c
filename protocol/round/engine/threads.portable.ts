/** Where there are no threads to start (a web page): the caller's own must do. See `threads.node.ts`. */
import { AssayError } from '../../errors.ts';
import type { StartThread } from './thread.ts';

export const PROCESSORS = 1;

export const startThread: StartThread = () => {
  throw new AssayError('NO_THREADS', {
    summary: 'there are no worker threads here',
    expected: 'one thread',
    received: 'a wish for more',
    fix: 'create the engine with threads: 1',
  });
};

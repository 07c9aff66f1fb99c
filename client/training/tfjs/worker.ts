import { parentPort, workerData } from 'node:worker_threads';
import { AssayError } from '../../../protocol/errors.ts';
import { personalise } from '../../personalisation/personalise.ts';
import { HEAD } from '../modelParts.ts';
import { createEngine } from './engine.ts';
import type { TrainerReply, TrainerRequest, WorkerSetup } from './workerTrainer.ts';

/**
 * The thread that trains. It loads the engine once and then answers one request after another; nothing here reads or
 * writes files.
 */
const setup = workerData as WorkerSetup;
const port = parentPort!;
const engine = createEngine(setup.manifest, setup.material);
// Whoever asks gets the error; unasked it must not end the thread.
engine.catch(() => undefined);

port.on('message', (request: TrainerRequest) => {
  answer(request).then(
    (value) => port.postMessage({ id: request.id, value } satisfies TrainerReply),
    (error: unknown) => port.postMessage({ id: request.id, error: describeError(error) } satisfies TrainerReply),
  );
});

async function answer(request: TrainerRequest) {
  const ready = await engine;
  switch (request.verb) {
    case 'init':
      return ready.init(request.seed);
    case 'train':
      return ready.train(setup.train, {
        ...request.task,
        onProgress: (progress) => port.postMessage({ id: request.id, progress } satisfies TrainerReply),
      });
    case 'personalise': {
      const own = personalise(ready, setup.manifest, setup.train, request.task);
      const { weights, memory } = request.task;
      const hasHead = ready.parts.head.length === 0 || memory?.[HEAD] !== undefined;
      const { test } = setup;
      return {
        ...own,
        before: test === undefined || !hasHead ? null : ready.evaluate(test, weights, memory),
        after: test === undefined ? null : ready.local.evaluate(test, own.weights),
      };
    }
    case 'evaluate':
      if (setup.test === undefined) {
        throw new AssayError('NO_TEST_DATA', {
          summary: 'this trainer was made without held-out samples',
          expected: 'a `test` data set',
          received: 'none',
          fix: 'make the trainer with held-out samples to evaluate',
        });
      }
      return ready.evaluate(setup.test, request.weights, request.memory);
  }
}

/** Errors cross the thread border as plain data: a class would arrive without its code. */
function describeError(error: unknown): NonNullable<TrainerReply['error']> {
  if (error instanceof AssayError) {
    const { cause, ...details } = error.details;
    return { code: error.code, details: cause === undefined ? details : { ...details, cause: String(cause) } };
  }
  return {
    code: 'TRAINER_FAILED',
    details: {
      summary: `training failed: ${error instanceof Error ? error.message : String(error)}`,
      cause: error instanceof Error ? error.stack : undefined,
    },
  };
}

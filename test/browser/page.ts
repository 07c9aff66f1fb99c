/** What the page runs: the exercise by the kernels, its digests posted back to the server that the page came from. */
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';
import { exercise } from './exercise.ts';

const { fetch, crossOriginIsolated } = globalThis as unknown as {
  readonly fetch: (path: string, options: { method: string; body: string }) => Promise<unknown>;
  readonly crossOriginIsolated: boolean;
};

/** A string: why it could not be done. */
async function run(): Promise<unknown> {
  try {
    return { isolated: crossOriginIsolated, digests: await exercise(createWasmEngine({ threads: 1 })) };
  } catch (error) {
    return error instanceof Error ? String(error.stack) : String(error);
  }
}

void run().then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }));

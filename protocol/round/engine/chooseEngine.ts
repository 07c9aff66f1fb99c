import { AssayError } from '../../errors.ts';
import { referenceEngine } from './referenceEngine.ts';
import type { EngineName, RoundEngine } from './roundEngine.ts';
import { createWasmEngine } from './wasmEngine.ts';

/**
 * The engine of that name: what `--engine` and `--threads` ask for. There is no other way to the reference: a machine
 * that cannot run the kernels is told so.
 * @param threads of the wasm engine; none: as many as pay
 * @throws AssayError `NO_SIMD`, `ENGINE_THREADS`
 */
export function chooseEngine(name: EngineName, threads?: number): RoundEngine {
  if (name === 'wasm') return createWasmEngine(threads === undefined ? {} : { threads });
  if (threads === undefined || threads === 1) return referenceEngine;
  throw new AssayError('ENGINE_THREADS', {
    summary: 'the reference computes in one thread',
    expected: '1 thread, or --engine wasm',
    received: `${threads} threads`,
  });
}

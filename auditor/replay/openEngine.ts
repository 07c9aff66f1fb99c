import { referenceEngine } from '../../protocol/round/engine/referenceEngine.ts';
import type { EngineName, RoundEngine } from '../../protocol/round/engine/roundEngine.ts';
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';

export interface EngineChoice {
  /** Default: wasm. */
  readonly engine?: EngineName | undefined;
  readonly threads?: number | undefined;
}

/** The engine that was asked for, and never another. @throws AssayError `NO_SIMD`, `ENGINE_THREADS` */
export function openEngine({ engine = 'wasm', threads }: EngineChoice): RoundEngine {
  if (engine === 'reference') return referenceEngine;
  return createWasmEngine(threads === undefined ? {} : { threads });
}

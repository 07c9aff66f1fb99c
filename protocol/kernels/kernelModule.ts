/**
 * The WASM module of the kernels over one shared memory. Every thread of a process instantiates the same module over
 * the same memory, so that bytes are read into it once and nobody copies; a shared memory works with a single thread as
 * well, in Node and in browsers alike.
 *
 *     main thread   const kernels = loadKernels();              arena: grows the memory
 *     worker        loadKernels(memory, { start, end })         arena: the region that the main thread gave it
 */
import { AssayError } from '../errors.ts';
import { Arena } from './arena.ts';
import { KERNELS_BASE64 } from './kernels.wasm.ts';
import { type WasmMemory, type WasmModule, wasm } from './webAssembly.ts';

/** The exports of `assembly/kernels.ts`, where each is described. Addresses and lengths are numbers. */
export interface KernelExports {
  readRows(rows: number, n: number, byteLength: number): number;

  gramSpan(
    rowsPtr: number,
    n: number,
    byteOffset: number,
    length: number,
    out: number,
    scratch: number,
    sums: number,
    largest: number,
  ): void;
  growGramTree(
    matrices: number,
    n: number,
    count: number,
    levels: number,
    encoded: number,
    sums: number,
    hashes: number,
    matrixHashes: number,
    work: number,
    scratch: number,
  ): void;

  hashUpdateLeaves(data: number, leafBytes: number, count: number, hashes: number, sums: number, scratch: number): void;
  hashModelLeaves(data: number, leafBytes: number, count: number, hashes: number, scratch: number): void;
  joinUpdateNodes(hashes: number, sums: number, count: number, levels: number, scratch: number): void;
  joinModelNodes(hashes: number, count: number, levels: number, scratch: number): void;
  hashGramRows(
    values: number,
    entries: number,
    count: number,
    hashes: number,
    stage: number,
    stageBytes: number,
    scratch: number,
  ): void;
  sumSquaresOfLeaves(data: number, leafBytes: number, count: number, sums: number): void;

  countSigns(data: number, length: number, out: number): void;
  largestMagnitude(data: number, length: number): number;

  quantizeStochastic(
    update: number,
    error: number,
    randoms: number,
    length: number,
    unit: number,
    quantized: number,
    leftover: number,
  ): number;
  allFinite(values: number, length: number): number;
  subtractFloats(a: number, b: number, length: number): void;
  scaleFloats(values: number, length: number, factor: number): void;
  scaleIntegers(values: number, length: number, scaleQ16: number): void;
  fixedToFloat(fixed: number, floats: number, length: number, scale: number): void;

  weightedSum(rows: number, terms: number, pairs: number, out: number, length: number): void;
  weightedFedAvg(
    rows: number,
    terms: number,
    pairs: number,
    model: number,
    length: number,
    factor: number,
    half: number,
  ): void;
  fedAvgOfRest(
    sums: number,
    rows: number,
    left: number,
    count: number,
    model: number,
    length: number,
    back: number,
    factor: number,
  ): void;
  foldDigits(digits: number, out: number, length: number, radix: number): void;

  rowSumsInt16: RowSums;
  rowSumsInt32: RowSums;
  rowSumsFloat64: RowSums;
  largestColumnSum(rows: number, n: number, length: number): number;
  scaleRowsInt32(rows: number, n: number, factors: number, outRows: number, start: number, end: number): void;
  scaleRowsFloat64(rows: number, n: number, factors: number, outRows: number, start: number, end: number): void;

  deltasOfInt32(numerators: number, out: number, length: number, factor: number, half: number): void;
  deltasOfFloat64(numerators: number, out: number, length: number, scale: number, denominator: number): void;
  fedAvgOfInt32(numerators: number, model: number, length: number, factor: number, half: number): void;
  fedAvg(deltas: number, model: number, length: number, rate: number): void;
  fedAvgM(deltas: number, model: number, velocity: number, length: number, rate: number, momentum: number): void;
  fedAdaptive(
    kind: number,
    deltas: number,
    model: number,
    state: number,
    length: number,
    rate: number,
    beta1: number,
    beta2: number,
    adaptivity: number,
  ): void;
  fedAdaptiveModel(model: number, state: number, length: number, rate: number, adaptivity: number): void;

  countTrimmedInt16(rows: number, m: number, f: number, length: number, counts: number): void;
  countTrimmedInt32(rows: number, m: number, f: number, length: number, counts: number): void;
  countTrimmedFloat64(rows: number, m: number, f: number, length: number, counts: number): void;
}

type RowSums = (
  rows: number,
  all: number,
  n: number,
  total: number,
  program: number,
  outRows: number,
  m: number,
  start: number,
  end: number,
) => void;

export interface Kernels {
  readonly memory: WasmMemory;
  readonly arena: Arena;
  readonly exports: KernelExports;
}

/** 4 GiB, all that a 32-bit address reaches; only what is allocated costs memory. */
export const MAXIMUM_PAGES = 65_536;

/** A memory for `loadKernels`. A browser that grants less than 4 GiB may be asked for fewer pages of 64 KiB. */
export function createKernelMemory(maximumPages: number = MAXIMUM_PAGES): WasmMemory {
  return new wasm.Memory({ initial: 1, maximum: maximumPages, shared: true });
}

/**
 * The kernels over `memory`, with an arena of their own: the whole memory, or the region given.
 * @throws AssayError `NO_SIMD` where WebAssembly lacks fixed-width SIMD or threads.
 */
export function loadKernels(
  memory: WasmMemory = createKernelMemory(),
  region?: { readonly start: number; readonly end: number },
): Kernels {
  compiled ??= compileKernels(Uint8Array.from(atob(KERNELS_BASE64), (character) => character.charCodeAt(0)));
  const exports = new wasm.Instance(compiled, { env: { memory } }).exports as KernelExports;
  return { memory, exports, arena: new Arena(memory, region?.start, region?.end) };
}

let compiled: WasmModule | undefined;

/** @throws AssayError `NO_SIMD` when this machine's WebAssembly does not take the module. */
export function compileKernels(bytes: Uint8Array): WasmModule {
  if (!wasm.validate(bytes)) {
    throw new AssayError('NO_SIMD', {
      summary: 'this WebAssembly cannot run the kernels',
      expected: 'WebAssembly 2.0 with fixed-width SIMD and shared memory (Node 20, Chrome 91, Firefox 89, Safari 16.4)',
      received: `an engine that refuses the module of ${bytes.length} bytes`,
      fix: 'use --engine reference: the same bits in plain TypeScript, slower',
    });
  }
  return new wasm.Module(bytes);
}

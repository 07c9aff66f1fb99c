/**
 * The training engine's own kernels, beside those of TF.js's WASM backend and in the same memory: tensors pass from one
 * to the other without a copy. The module has no data, stack or allocator; what it needs to work in comes from TF.js's
 * allocator through `scratch`.
 */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { type WasmMemory, wasm } from '../../../protocol/kernels/webAssembly.ts';
import type { TensorFlow } from '../../models/model.ts';
import type { KernelExports } from './exports.ts';
import { KERNELS_BASE64 as PORTABLE_BASE64 } from './kernels.portable.wasm.ts';
import { KERNELS_BASE64 } from './kernels.wasm.ts';

/** The part of TF.js's WASM backend that the kernels build on: public names, but for `wasm.asm` undocumented. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WasmMemory };
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  makeOutput(shape: readonly number[], dtype: DataType): TensorInfo;
}

/** What a kernel on the TypeScript side works with. */
export interface KernelContext {
  readonly tf: TensorFlow;
  readonly exports: KernelExports;
  /** Byte address of a tensor's values. */
  address(tensor: Pick<TensorInfo, 'dataId'>): number;
  /** A new tensor; its values are whatever was there before. */
  output(shape: readonly number[], dtype?: DataType): TensorInfo;
  /** At least `bytes` bytes, 16-byte aligned, that hold until the next call: never keep anything there. */
  scratch(bytes: number): number;
  /** `bytes` bytes for good, 16-byte aligned. */
  allocate(bytes: number): number;
  /** A view of memory, valid until the next allocation: for handing over tables and for tests. */
  floats(address: number, length: number): Float32Array;
  integers(address: number, length: number): Int32Array;
}

const loaded = new WeakMap<object, KernelContext>();

/** The kernels in the memory of `tf`'s WASM backend, which must be the current one; instantiated once. */
export function loadTrainingKernels(tf: TensorFlow): KernelContext {
  const present = loaded.get(tf.backend());
  if (present !== undefined) return present;
  const context = instantiate(tf);
  loaded.set(tf.backend(), context);
  return context;
}

function instantiate(tf: TensorFlow): KernelContext {
  const backend = tf.backend() as unknown as WasmBackend;
  const { memory } = backend.wasm.asm;
  // malloc answers with a signed number.
  const allocate = (bytes: number) => Math.ceil((backend.wasm._malloc(bytes + 16) >>> 0) / 16) * 16;
  const exports = instantiateModule(memory, allocate);
  let scratchAt = 0;
  let scratchBytes = 0;
  return {
    tf,
    exports,
    allocate,
    address: ({ dataId }) => backend.dataIdMap.get(dataId).memoryOffset,
    output: (shape, dtype = 'float32') => backend.makeOutput(shape, dtype),
    scratch(bytes) {
      if (bytes > scratchBytes) {
        if (scratchAt !== 0) backend.wasm._free(scratchAt);
        scratchAt = backend.wasm._malloc(bytes + 16) >>> 0;
        scratchBytes = bytes;
      }
      return Math.ceil(scratchAt / 16) * 16;
    },
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    integers: (address, length) => new Int32Array(memory.buffer, address, length),
  };
}

/** The module whose multiplications and additions are instructions, where these round once; else the one that emulates them. */
function instantiateModule(memory: WasmMemory, allocate: (bytes: number) => number): KernelExports {
  const instance = (bytes: Uint8Array<ArrayBuffer>) =>
    new wasm.Instance(new wasm.Module(bytes), { env: { memory } }).exports as KernelExports;
  const fused = Uint8Array.from(Buffer.from(KERNELS_BASE64, 'base64'));
  if (wasm.validate(fused)) {
    const exports = instance(fused);
    if (roundsOnce(exports, memory, allocate(64))) return exports;
  }
  return instance(Uint8Array.from(Buffer.from(PORTABLE_BASE64, 'base64')));
}

/** (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24; with a product that is rounded first it is 0. */
function roundsOnce(exports: KernelExports, memory: WasmMemory, at: number): boolean {
  const lanes = new Float32Array(memory.buffer, at, 16);
  lanes.fill(1 + 2 ** -12, 0, 8).fill(-1 - 2 ** -11, 8, 12);
  exports.multiplyAddAt(at, at + 16, at + 32, at + 48);
  return lanes.subarray(12).every((value) => value === 2 ** -24);
}

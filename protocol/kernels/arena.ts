/**
 * Where kernels keep their bytes: a region of the shared memory that is handed out from its start and given back from
 * its end (a bump allocator with marks). Nothing is freed one by one; a round lays out its blocks once.
 */
import { AssayError } from '../errors.ts';
import { WASM_PAGE_BYTES, type WasmMemory } from './webAssembly.ts';

/** A cache line: no two threads write to the same one. */
const ALIGNMENT = 64;

export class Arena {
  readonly memory: WasmMemory;
  private readonly start: number;
  private readonly end: number;
  private next: number;

  /**
   * The region [start, end). One whose end is left open grows the memory when it needs to: there may be only one of
   * these per memory, and other threads get closed regions out of it.
   */
  constructor(memory: WasmMemory, start: number = WASM_PAGE_BYTES, end: number = Number.POSITIVE_INFINITY) {
    this.memory = memory;
    this.start = align(start);
    this.end = end;
    this.next = this.start;
  }

  /**
   * The address of `byteLength` bytes, at a multiple of 64. They are zero the first time and whatever was there later.
   * @throws AssayError `KERNEL_MEMORY` when the region or the memory is full.
   */
  allocate(byteLength: number): number {
    const pointer = this.next;
    const end = align(pointer + byteLength);
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / WASM_PAGE_BYTES);
    if (end > this.end || (missing > 0 && !this.grow(missing))) {
      throw new AssayError('KERNEL_MEMORY', {
        summary: 'the memory of the kernels is full',
        expected: `room for ${byteLength} bytes more`,
        received: `${Math.min(this.end, this.memory.buffer.byteLength) - this.start} bytes, ${pointer - this.start} in use`,
        fix: 'use fewer threads, or --engine reference',
      });
    }
    this.next = end;
    return pointer;
  }

  /** What `release` takes to give back all that is allocated from now on. */
  mark(): number {
    return this.next;
  }

  release(mark: number): void {
    this.next = mark;
  }

  /** The bytes at an address. Like every view, good until the next allocation by anybody. */
  bytes(pointer: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.memory.buffer, pointer, length);
  }

  int16(pointer: number, length: number): Int16Array<SharedArrayBuffer> {
    return new Int16Array(this.memory.buffer, pointer, length);
  }

  int32(pointer: number, length: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.memory.buffer, pointer, length);
  }

  float64(pointer: number, length: number): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.memory.buffer, pointer, length);
  }

  /** A table of addresses, what kernels call `rowsPtr`; returns its own address. */
  pointers(addresses: readonly number[]): number {
    const table = this.allocate(4 * addresses.length);
    new Uint32Array(this.memory.buffer, table, addresses.length).set(addresses);
    return table;
  }

  private grow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false; // a RangeError: the maximum, or what the machine has
    }
  }
}

function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

/**
 * The border between floats and integers on whole vectors, by the kernels of assembly/quantize.ts: the same bits as the
 * plain functions of client/update and protocol/encoding/fixedPoint.ts, which are the reference. Vectors stay where
 * they are; blocks of them pass through the kernels' memory, which therefore does not grow with d.
 */
import type { Kernels } from './kernelModule.ts';

/** Coordinates of a block: all that one needs fits the second-level cache. */
const BLOCK = 16384;
/** Kernels take multiples of this; the rest of the last block is zero. */
const STEP = 16;

export class QuantizeKernel {
  private readonly kernels: Kernels;
  /** Blocks of 32-bit numbers, and one of 16-bit ones. */
  private readonly a: number;
  private readonly b: number;
  private readonly c: number;
  private readonly d: number;
  private readonly short: number;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels) {
    const { arena } = kernels;
    this.kernels = kernels;
    this.a = arena.allocate(4 * BLOCK);
    this.b = arena.allocate(4 * BLOCK);
    this.c = arena.allocate(4 * BLOCK);
    this.d = arena.allocate(4 * BLOCK);
    this.short = arena.allocate(2 * BLOCK);
  }

  /** Whether no number is NaN or infinite. */
  allFinite(values: Float32Array): boolean {
    let finite = true;
    eachBlock(values.length, (from, to, length) => {
      this.load(this.a, values, from, to, length);
      finite &&= this.kernels.exports.allFinite(this.a, length) !== 0;
    });
    return finite;
  }

  /** a - b, coordinate by coordinate, rounded to float32. Shapes [d]. */
  subtract(a: Float32Array, b: Float32Array): Float32Array {
    const difference = new Float32Array(a.length);
    eachBlock(a.length, (from, to, length) => {
      this.load(this.a, a, from, to, length);
      this.load(this.b, b, from, to, length);
      this.kernels.exports.subtractFloats(this.a, this.b, length);
      difference.set(this.floats(this.a, to - from), from);
    });
    return difference;
  }

  /** values * factor, the product of doubles rounded to float32. Shape [d]. */
  scale(values: Float32Array, factor: number): Float32Array {
    const scaled = new Float32Array(values.length);
    eachBlock(values.length, (from, to, length) => {
      this.load(this.a, values, from, to, length);
      this.kernels.exports.scaleFloats(this.a, length, factor);
      scaled.set(this.floats(this.a, to - from), from);
    });
    return scaled;
  }

  /**
   * Stochastic rounding of (update + error) * unit; null when a number is not finite. `drawInto` fills its argument with
   * the next uniform uint32 of the caller's generator, one for each coordinate, in order. Shapes [d].
   */
  quantizeStochastic(
    update: Float32Array,
    error: Float32Array | null,
    unit: number,
    drawInto: (draws: Uint32Array) => void,
  ): { quantized: Int16Array; error: Float32Array; saturated: number } | null {
    const { exports, arena, memory } = this.kernels;
    const quantized = new Int16Array(update.length);
    const leftover = new Float32Array(update.length);
    let saturated = 0;
    let finite = true;
    eachBlock(update.length, (from, to, length) => {
      this.load(this.a, update, from, to, length);
      if (error === null) this.floats(this.b, length).fill(0);
      else this.load(this.b, error, from, to, length);
      finite &&= exports.allFinite(this.a, length) !== 0 && exports.allFinite(this.b, length) !== 0;
      if (!finite) return;
      drawInto(new Uint32Array(memory.buffer, this.c, to - from));
      saturated += exports.quantizeStochastic(this.a, this.b, this.c, length, unit, this.short, this.d);
      quantized.set(arena.int16(this.short, to - from), from);
      leftover.set(this.floats(this.d, to - from), from);
    });
    return finite ? { quantized, error: leftover, saturated } : null;
  }

  /** Sum of squares of int16 coordinates. */
  normSq(quantized: Int16Array): bigint {
    const { exports, memory } = this.kernels;
    let sum = 0n;
    eachBlock(quantized.length, (from, to, length) => {
      this.loadShort(quantized, from, to, length);
      exports.sumSquaresOfLeaves(this.short, 2 * length, 1, this.a);
      sum += new BigUint64Array(memory.buffer, this.a, 1)[0]!;
    });
    return sum;
  }

  /** trunc(q * scaleQ16 / 2^16), 0 <= scaleQ16 < 2^16. Shape [d]. */
  scaleIntegers(quantized: Int16Array, scaleQ16: number): Int16Array {
    const { exports, arena } = this.kernels;
    const scaled = new Int16Array(quantized.length);
    eachBlock(quantized.length, (from, to, length) => {
      this.loadShort(quantized, from, to, length);
      exports.scaleIntegers(this.short, length, scaleQ16);
      scaled.set(arena.int16(this.short, to - from), from);
    });
    return scaled;
  }

  /** Model coordinates as float32 weights: w * 2^-fractionBits. Shape [d]. */
  fixedToFloat(model: Int32Array, fractionBits: number): Float32Array {
    const { exports, arena } = this.kernels;
    const weights = new Float32Array(model.length);
    eachBlock(model.length, (from, to, length) => {
      arena.int32(this.a, to - from).set(model.subarray(from, to));
      exports.fixedToFloat(this.a, this.b, length, 2 ** -fractionBits);
      weights.set(this.floats(this.b, to - from), from);
    });
    return weights;
  }

  private floats(pointer: number, length: number): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, pointer, length);
  }

  private load(pointer: number, values: Float32Array, from: number, to: number, length: number): void {
    const block = this.floats(pointer, length);
    block.set(values.subarray(from, to));
    block.fill(0, to - from);
  }

  private loadShort(values: Int16Array, from: number, to: number, length: number): void {
    const block = this.kernels.arena.int16(this.short, length);
    block.set(values.subarray(from, to));
    block.fill(0, to - from);
  }
}

/** Blocks [from, to) of `total` coordinates, and the length that kernels take for them. */
function eachBlock(total: number, use: (from: number, to: number, length: number) => void): void {
  for (let from = 0; from < total; from += BLOCK) {
    const to = Math.min(total, from + BLOCK);
    use(from, to, Math.ceil((to - from) / STEP) * STEP);
  }
}

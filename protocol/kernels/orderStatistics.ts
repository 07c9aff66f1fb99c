/**
 * Coordinate-wise order statistics of m rows: median, trimmed mean, mean of the values nearest the median. One SIMD lane
 * is one coordinate; a selection network (`sortingNetwork.ts`) orders all lanes at once without a branch. The network's
 * straight-line code is written for the very m, statistic and number type, so that values stay in registers and only
 * what the statistic asks for is sorted: a few milliseconds of compiling, once.
 *
 * Nearest the median without looking: the kept values are a window of the sorted column. It moves up from position i
 * exactly when the value it would gain, x[i+k], is nearer than the one it loses, x[i]; of each such pair the nearer is
 * taken, the lower one where both are as near (decision 0016). With a <= b the middle values (a = b for odd m) and
 * x[i] <= a, b <= x[i+k], that is: x[i] stays where x[i+k] - b >= a - x[i].
 */
import { FunctionBuilder, type Instruction } from './functionBuilder.ts';
import { compileKernels, type Kernels, MAXIMUM_PAGES } from './kernelModule.ts';
import { type Asked, selectionNetwork } from './sortingNetwork.ts';
import { type WasmModule, wasm } from './webAssembly.ts';

export type OrderStatistic =
  | { readonly kind: 'median' }
  /** Without the `drop` lowest and the `drop` highest values; m > 2 drop. */
  | { readonly kind: 'trimmedMean'; readonly drop: number }
  /** The `keep` values nearest the median; 0 < keep <= m. */
  | { readonly kind: 'nearestMedian'; readonly keep: number };

/** What the rows hold. */
export type Lanes = 'int16' | 'int32' | 'float64';

/** What sums of them are written as; float64 holds exact integers. */
export type SumLanes = 'int32' | 'float64';

/**
 * Numerators of m rows, as `combineChunk` defines them: the sum of the values that the statistic keeps. Rows of int16
 * give int32, rows of float64 give float64, rows of int32 either.
 *
 * Bounds, the caller's to keep: |x| * m < 2^31 from int32 rows to int32, |x| * m < 2^52 for float64 rows.
 *
 * @param rows address of m row addresses
 * @param out address of the numerators
 * @param length coordinates, a multiple of 8
 */
export type OrderStatisticKernel = (rows: number, out: number, length: number) => void;

/** The kernel of that statistic over these kernels' memory. Making it again costs nothing but an instance. */
export function orderStatisticKernel(
  kernels: Kernels,
  statistic: OrderStatistic,
  m: number,
  lanes: Lanes,
  sums: SumLanes = lanes === 'float64' ? 'float64' : 'int32',
): OrderStatisticKernel {
  const key = `${JSON.stringify(statistic)} ${m} ${lanes} ${sums}`;
  let module = modules.get(key);
  if (module === undefined) {
    module = compileKernels(orderStatisticCode(statistic, m, lanes, sums));
    modules.set(key, module);
  }
  const instance = new wasm.Instance(module, { env: { memory: kernels.memory } });
  return (instance.exports as { run: OrderStatisticKernel }).run;
}

const modules = new Map<string, WasmModule>();

/** What a statistic is made of, by sorted position. */
interface Plan {
  /** Added to the numerator. */
  readonly sum: readonly number[];
  /** Of each two the one nearer the median is added. */
  readonly nearer: readonly (readonly [low: number, high: number])[];
  /** The middle values; read only by `nearer`. */
  readonly middle: readonly [number, number];
}

function planOf(statistic: OrderStatistic, m: number): Plan {
  const middle = [(m - 1) >> 1, m >> 1] as const;
  const between = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  if (statistic.kind === 'median') return { sum: [...new Set(middle)], nearer: [], middle };
  if (statistic.kind === 'trimmedMean') return { sum: between(statistic.drop, m - statistic.drop), nearer: [], middle };
  const { keep } = statistic;
  // Windows below `start` end before the median, windows from `end` on begin at it or above: nothing to compare.
  const start = Math.max(0, Math.min(m - keep, middle[1] - keep));
  const end = Math.min(m - keep, middle[0]);
  const nearer = between(start, end).map((i) => [i, i + keep] as const);
  return { sum: between(end, start + keep), nearer, middle };
}

function askedOf({ sum, nearer, middle }: Plan, m: number): Asked[] {
  const asked = new Array<Asked>(m).fill('nothing');
  for (const position of sum) asked[position] = 'sum';
  if (nearer.length > 0) for (const position of [...middle, ...nearer.flat()]) asked[position] = 'value';
  return asked;
}

interface LaneCode {
  readonly bytes: number;
  readonly min: Instruction;
  readonly max: Instruction;
}

const LANES: Record<Lanes, LaneCode> = {
  int16: { bytes: 2, min: 'i16x8.min_s', max: 'i16x8.max_s' },
  int32: { bytes: 4, min: 'i32x4.min_s', max: 'i32x4.max_s' },
  float64: { bytes: 8, min: 'f64x2.pmin', max: 'f64x2.pmax' },
};

/** The bytes of a module whose one function is the kernel. */
function orderStatisticCode(statistic: OrderStatistic, m: number, lanes: Lanes, sums: SumLanes): Uint8Array {
  const plan = planOf(statistic, m);
  const { comparators, wires } = selectionNetwork(askedOf(plan, m));
  const { bytes, min, max } = LANES[lanes];
  const [rows, out, length] = [0, 1, 2];
  const code = new FunctionBuilder(3);
  const at = code.i32Local();
  const end = code.i32Local();
  const spare = code.v128Local();
  const values = Array.from({ length: m }, () => code.v128Local());
  const sum = sumOf(code, lanes, sums);

  code.get(length).i32Const(bytes).op('i32.mul').set(end);
  sum.begin();
  code.loop(() => {
    sum.clear();
    const isLoaded = new Set<number>();
    const load = (wire: number) => {
      if (isLoaded.has(wire)) return;
      isLoaded.add(wire);
      code
        .get(rows)
        .i32Load(4 * wire)
        .get(at)
        .op('i32.add')
        .v128Load(0)
        .set(values[wire]!);
    };
    // A value is added as soon as no comparator touches it any more: that frees its register.
    const summed = new Set(plan.sum.map((position) => wires[position]!));
    const touches = new Array<number>(m).fill(0);
    for (const { low, high } of comparators) for (const wire of [low, high]) touches[wire]!++;
    for (const { low, high, keepsLow, keepsHigh } of comparators) {
      const [a, b] = [values[low]!, values[high]!];
      load(low);
      load(high);
      if (keepsLow) code.get(a).get(b).op(min).set(spare);
      if (keepsHigh) code.get(a).get(b).op(max).set(b);
      if (keepsLow) code.get(spare).set(a);
      for (const wire of [low, high]) {
        touches[wire]!--;
        if (touches[wire] === 0 && summed.delete(wire)) sum.add(values[wire]!);
      }
    }
    for (const wire of summed) {
      load(wire);
      sum.add(values[wire]!);
    }
    const valueAt = (position: number) => values[wires[position]!]!;
    const [a, b] = [valueAt(plan.middle[0]), valueAt(plan.middle[1])];
    for (const [low, high] of plan.nearer) {
      code.get(valueAt(low)).get(valueAt(high));
      lowIsNearer(code, lanes, valueAt(low), valueAt(high), a, b);
      code.op('v128.bitselect').set(spare);
      sum.add(spare);
    }
    sum.store(out);
    code.get(at).i32Const(16).op('i32.add').tee(at).get(end).op('i32.lt_u');
  });
  return code.build(MAXIMUM_PAGES);
}

/**
 * Leaves the mask of the lanes in which `low` is kept. Differences of values in ascending order are unsigned numbers
 * that wrap into their lane exactly; float64 has room for the sums instead.
 */
function lowIsNearer(code: FunctionBuilder, lanes: Lanes, low: number, high: number, a: number, b: number): void {
  if (lanes === 'float64') {
    code.get(low).get(high).op('f64x2.add').get(a).get(b).op('f64x2.add').op('f64x2.ge');
    return;
  }
  const [sub, greaterOrEqual] =
    lanes === 'int16' ? (['i16x8.sub', 'i16x8.ge_u'] as const) : (['i32x4.sub', 'i32x4.ge_u'] as const);
  code.get(high).get(b).op(sub).get(a).get(low).op(sub).op(greaterOrEqual);
}

function sumOf(code: FunctionBuilder, lanes: Lanes, sums: SumLanes) {
  if (lanes === 'int16') return new Int16Sum(code);
  return lanes === 'int32' && sums === 'float64' ? new SplitSum(code) : new PlainSum(code, lanes);
}

/** A sum in the lanes of its values. */
class PlainSum {
  private readonly code: FunctionBuilder;
  private readonly instruction: Instruction;
  private readonly total: number;
  private isEmpty = true;

  constructor(code: FunctionBuilder, lanes: 'int32' | 'float64') {
    this.code = code;
    this.instruction = lanes === 'int32' ? 'i32x4.add' : 'f64x2.add';
    this.total = code.v128Local();
  }

  begin(): void {}

  clear(): void {
    this.isEmpty = true;
  }

  add(value: number): void {
    this.code.get(value);
    if (!this.isEmpty) this.code.get(this.total).op(this.instruction);
    this.code.set(this.total);
    this.isEmpty = false;
  }

  store(out: number): void {
    this.code.get(out).get(this.total).v128Store(0);
    this.code.get(out).i32Const(16).op('i32.add').set(out);
  }
}

/** A sum of int32 lanes that may leave int32: the halves of the values apart, put together in float64. */
class SplitSum {
  private readonly code: FunctionBuilder;
  private readonly lower: number;
  private readonly upper: number;
  private readonly mask: number;
  private readonly unit: number;
  private isEmpty = true;

  constructor(code: FunctionBuilder) {
    this.code = code;
    this.lower = code.v128Local();
    this.upper = code.v128Local();
    this.mask = code.v128Local();
    this.unit = code.v128Local();
  }

  begin(): void {
    this.code.i32Const(0xffff).op('i32x4.splat').set(this.mask);
    this.code.i32Const(0x10000).op('i32x4.splat').op('f64x2.convert_low_i32x4_s').set(this.unit);
  }

  clear(): void {
    this.isEmpty = true;
  }

  add(value: number): void {
    this.code.get(value).get(this.mask).op('v128.and');
    this.accumulate(this.lower);
    this.code.get(value).i32Const(16).op('i32x4.shr_s');
    this.accumulate(this.upper);
    this.isEmpty = false;
  }

  store(out: number): void {
    for (const [half, offset] of [0, 16].entries()) {
      this.code.get(out);
      this.half(this.upper, half).get(this.unit).op('f64x2.mul');
      this.half(this.lower, half).op('f64x2.add').v128Store(offset);
    }
    this.code.get(out).i32Const(32).op('i32.add').set(out);
  }

  /** Leaves two of the four sums as float64. */
  private half(sum: number, half: number): FunctionBuilder {
    this.code.get(sum);
    if (half === 1) this.code.get(sum).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
    return this.code.op('f64x2.convert_low_i32x4_s');
  }

  private accumulate(sum: number): void {
    if (!this.isEmpty) this.code.get(sum).op('i32x4.add');
    this.code.set(sum);
  }
}

/** Bytes of two vectors a, b in the order a0 b0 a1 b1 ... of their int16 lanes: the lower and the upper half. */
const INTERLEAVE_LOW = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
const INTERLEAVE_HIGH = INTERLEAVE_LOW.map((byte) => byte + 8);

/** A sum of int16 lanes in two vectors of int32: two values at a time, interleaved, by a dot product with ones. */
class Int16Sum {
  private readonly code: FunctionBuilder;
  private readonly totals: readonly [number, number];
  private readonly ones: number;
  private waiting: number | undefined;
  private readonly held: number;
  private isEmpty = true;

  constructor(code: FunctionBuilder) {
    this.code = code;
    this.totals = [code.v128Local(), code.v128Local()];
    this.ones = code.v128Local();
    this.held = code.v128Local();
  }

  begin(): void {
    this.code.i32Const(1).op('i16x8.splat').set(this.ones);
  }

  clear(): void {
    this.isEmpty = true;
    this.waiting = undefined;
  }

  add(value: number): void {
    if (this.waiting === undefined) {
      this.code.get(value).set(this.held);
      this.waiting = value;
      return;
    }
    this.waiting = undefined;
    for (const [half, order] of [INTERLEAVE_LOW, INTERLEAVE_HIGH].entries()) {
      this.code.get(this.held).get(value).shuffle(order).get(this.ones).op('i32x4.dot_i16x8_s');
      this.accumulate(half);
    }
    this.isEmpty = false;
  }

  store(out: number): void {
    if (this.waiting !== undefined) {
      this.code.get(this.held).op('i32x4.extend_low_i16x8_s');
      this.accumulate(0);
      this.code.get(this.held).op('i32x4.extend_high_i16x8_s');
      this.accumulate(1);
    }
    this.code.get(out).get(this.totals[0]).v128Store(0).get(out).get(this.totals[1]).v128Store(16);
    this.code.get(out).i32Const(32).op('i32.add').set(out);
  }

  private accumulate(half: number): void {
    const total = this.totals[half]!;
    if (!this.isEmpty) this.code.get(total).op('i32x4.add');
    this.code.set(total);
  }
}

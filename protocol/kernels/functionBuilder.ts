/**
 * Writes one WebAssembly function, instruction by instruction, as a module over the kernels' memory: for kernels whose
 * straight-line code depends on numbers known only at run time (see `orderStatistics.ts`). Spec: WebAssembly 2.0,
 * chapter 5 (binary format); opcodes have the names of the text format.
 */

/** Value types. */
const I32 = 0x7f;
const V128 = 0x7b;

/** Plain instructions. */
const PLAIN = { 'i32.add': 0x6a, 'i32.mul': 0x6c, 'i32.lt_u': 0x49 } as const;

/** SIMD instructions without immediates: the number after the prefix 0xfd. */
const SIMD = {
  'v128.and': 0x4e,
  'v128.bitselect': 0x52,
  'i16x8.splat': 0x10,
  'i16x8.sub': 0x91,
  'i16x8.min_s': 0x96,
  'i16x8.max_s': 0x98,
  'i16x8.ge_u': 0x36,
  'i32x4.extend_low_i16x8_s': 0xa7,
  'i32x4.extend_high_i16x8_s': 0xa8,
  'i32x4.dot_i16x8_s': 0xba,
  'i32x4.splat': 0x11,
  'i32x4.shr_s': 0xac,
  'i32x4.add': 0xae,
  'i32x4.sub': 0xb1,
  'i32x4.min_s': 0xb6,
  'i32x4.max_s': 0xb8,
  'i32x4.ge_u': 0x40,
  'f64x2.convert_low_i32x4_s': 0xfe,
  'f64x2.mul': 0xf2,
  'f64x2.add': 0xf0,
  'f64x2.ge': 0x4c,
  'f64x2.pmin': 0xf4,
  'f64x2.pmax': 0xf5,
} as const;

export type Instruction = keyof typeof PLAIN | keyof typeof SIMD;

export class FunctionBuilder {
  private readonly code: number[] = [];
  private readonly parameters: number;
  private i32Locals = 0;
  private v128Locals = 0;

  /** A function of `parameters` i32 parameters, its locals 0, 1, ..., and no result. Ask for i32 locals first. */
  constructor(parameters: number) {
    this.parameters = parameters;
  }

  i32Local(): number {
    return this.parameters + this.i32Locals++;
  }

  v128Local(): number {
    return this.parameters + this.i32Locals + this.v128Locals++;
  }

  get(local: number): this {
    this.code.push(0x20);
    unsigned(this.code, local);
    return this;
  }

  set(local: number): this {
    this.code.push(0x21);
    unsigned(this.code, local);
    return this;
  }

  /** Sets the local and leaves the value where it is. */
  tee(local: number): this {
    this.code.push(0x22);
    unsigned(this.code, local);
    return this;
  }

  i32Const(value: number): this {
    this.code.push(0x41);
    signed(this.code, value);
    return this;
  }

  op(instruction: Instruction): this {
    if (instruction in PLAIN) {
      this.code.push(PLAIN[instruction as keyof typeof PLAIN]);
    } else {
      this.code.push(0xfd);
      unsigned(this.code, SIMD[instruction as keyof typeof SIMD]);
    }
    return this;
  }

  i32Load(offset: number): this {
    this.code.push(0x28, 2);
    unsigned(this.code, offset);
    return this;
  }

  v128Load(offset: number): this {
    this.code.push(0xfd, 0x00, 4);
    unsigned(this.code, offset);
    return this;
  }

  v128Store(offset: number): this {
    this.code.push(0xfd, 0x0b, 4);
    unsigned(this.code, offset);
    return this;
  }

  /** Byte i of the result is byte `lanes[i]` of the two operands side by side. */
  shuffle(lanes: readonly number[]): this {
    this.code.push(0xfd, 0x0d, ...lanes);
    return this;
  }

  /** `do { body } while (the i32 that the body leaves on the stack)`. */
  loop(body: () => void): this {
    this.code.push(0x03, 0x40);
    body();
    this.code.push(0x0d, 0x00, 0x0b);
    return this;
  }

  /** The module's bytes: this one function, exported as `run`, and the memory `env.memory` from outside. */
  build(maximumPages: number): Uint8Array {
    const locals = [...vector([...leb(this.i32Locals), I32, ...leb(this.v128Locals), V128], 2)];
    const body = [...locals, ...this.code, 0x0b];
    const name = (text: string) => vector([...text].map((character) => character.charCodeAt(0)));
    const type = [0x60, ...vector(new Array<number>(this.parameters).fill(I32)), ...vector([])];
    const memory = [...name('env'), ...name('memory'), 0x02, 0x03, 0x01, ...leb(maximumPages)];
    const section = (id: number, content: number[]) => [id, ...leb(content.length), ...content];
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, vector(type, 1)),
      ...section(2, vector(memory, 1)),
      ...section(3, vector([0], 1)),
      ...section(7, vector([...name('run'), 0x00, 0x00], 1)),
      ...section(10, vector([...leb(body.length), ...body], 1)),
    ]);
  }
}

/** A vector of the binary format: its count (its bytes unless told otherwise), then its content. */
function vector(content: readonly number[], count: number = content.length): number[] {
  return [...leb(count), ...content];
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  unsigned(bytes, value);
  return bytes;
}

/** LEB128 of an integer in 0..2^31-1. */
function unsigned(out: number[], value: number): void {
  while (value > 0x7f) {
    out.push((value & 0x7f) | 0x80);
    value >>>= 7;
  }
  out.push(value);
}

/** LEB128 of an int32. */
function signed(out: number[], value: number): void {
  while (value < -64 || value > 63) {
    out.push((value & 0x7f) | 0x80);
    value >>= 7;
  }
  out.push(value & 0x7f);
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { KernelExports } from '../../../../client/training/kernels/exports.ts';
import { KERNELS_BASE64 as PORTABLE } from '../../../../client/training/kernels/kernels.portable.wasm.ts';
import { KERNELS_BASE64 as FUSED } from '../../../../client/training/kernels/kernels.wasm.ts';
import { type WasmMemory, wasm } from '../../../../protocol/kernels/webAssembly.ts';

/** A module in a memory of its own, so that what it writes beside its results is seen. */
function load(base64: string): { readonly exports: KernelExports; readonly memory: WasmMemory } {
  // Not shared, as that of TF.js.
  const Memory = wasm.Memory as unknown as new (limits: { initial: number }) => WasmMemory;
  const memory = new Memory({ initial: 40 });
  const module = new wasm.Module(Uint8Array.from(Buffer.from(base64, 'base64')));
  const exports = new wasm.Instance(module, { env: { memory } }).exports as KernelExports;
  return { exports, memory };
}

const fused = load(FUSED);
const portable = load(PORTABLE);
const modules = [fused, portable];

const asFloat = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0]!;
const asBits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;

/** A finite single as an integer in units of 2^-149. */
function inUnits(bits: number): bigint {
  const exponent = (bits >>> 23) & 255;
  const fraction = BigInt(bits & 0x7fffff);
  const size = exponent === 0 ? fraction : (fraction + 0x800000n) << BigInt(exponent - 1);
  return bits >>> 31 === 1 ? -size : size;
}

/** The single nearest to `value` units of 2^-298, the even one of two (IEEE 754-2019, 4.3.1). */
function nearestSingle(value: bigint): number {
  const sign = value < 0n ? 0x80000000 : 0;
  const size = value < 0n ? -value : value;
  const drop = BigInt(Math.max(149, size.toString(2).length - 24));
  const kept = size >> drop;
  const rest = size - (kept << drop);
  const half = 1n << (drop - 1n);
  const rounded = kept + (rest > half || (rest === half && (kept & 1n) === 1n) ? 1n : 0n);
  // 2^24 carries into the exponent by itself.
  const bits = Number(rounded) + Number(drop - 149n) * 0x800000;
  return (sign | Math.min(bits, 0x7f800000)) >>> 0;
}

function multiplyAdd(module: (typeof modules)[number], x: number, y: number, z: number): number {
  const bits = new Uint32Array(module.memory.buffer, 0, 16);
  bits.fill(x, 0, 4).fill(y, 4, 8).fill(z, 8, 12);
  module.exports.multiplyAddAt(0, 16, 32, 48);
  expect(new Set(bits.subarray(12))).to.have.length(1);
  return bits[12]!;
}

/** Singles with few digits and near sizes, so that products are exact, cancel, and land on the middle. */
const finite = fc
  .tuple(
    fc.boolean(),
    fc.oneof(fc.integer({ min: 0, max: 254 }), fc.integer({ min: 120, max: 132 })),
    fc.integer({ min: 0, max: 0x7fffff }),
    fc.constantFrom(0, 0xfff, 0x7fffff),
  )
  .map(
    ([negative, exponent, fraction, cleared]) =>
      ((negative ? 0x80000000 : 0) | (exponent << 23) | (fraction & ~cleared)) >>> 0,
  );

/** A product half way between two singles, and something too small for a double to see beside it. */
const middle = fc
  .tuple(
    fc.integer({ min: 2896, max: 4095 }),
    fc.integer({ min: 5793, max: 8191 }),
    fc.integer({ min: 32, max: 120 }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([x, y, below, up, negative]) => {
    const factor = negative ? -(x | 1) : x | 1;
    return [asBits(factor), asBits(y | 1), asBits((up ? 1 : -1) * 2 ** -below)] as const;
  });

/** Half a unit of the smallest numbers, by a little that a double does not see beside what is added. */
const vanishing = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2 ** 17, max: 2 ** 22 - 1 }), fc.boolean())
  .map(([little, half, negative]) => {
    const [more, less] = [1 + little * 2 ** -23, 1 - little * 2 ** -23].map((factor) => factor * 2 ** -75);
    return [asBits(negative ? -more! : more!), asBits(less!), 2 * half + 1] as const;
  });

/** What is added is the rounded product or its neighbour, with the other sign. */
const cancelling = fc
  .tuple(finite, finite, fc.integer({ min: 0, max: 1 }))
  .map(([x, y, off]) => [x, y, (asBits(-Math.fround(asFloat(x) * asFloat(y))) ^ off) >>> 0] as const);

describe('client products', () => {
  it('multiply and add with one rounding, whether the processor does it or the module', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(finite, finite, finite), middle, vanishing, cancelling), ([x, y, z]) => {
        fc.pre(((z >>> 23) & 255) !== 255);
        const exact = inUnits(x) * inUnits(y) + (inUnits(z) << 149n);
        const wanted = nearestSingle(exact);
        for (const module of modules) {
          const got = multiplyAdd(module, x, y, z);
          // The sign of an exact zero is not what is meant here.
          if (exact === 0n) expect(got & 0x7fffffff).to.equal(0);
          else expect(got).to.equal(wanted);
        }
      }),
      { numRuns: 3000 },
    );
    const infinity = 0x7f800000;
    for (const module of modules) {
      expect(multiplyAdd(module, infinity, asBits(-2), asBits(1))).to.equal(0xff800000);
      expect(asFloat(multiplyAdd(module, infinity, asBits(1), 0xff800000))).to.deep.equal(Number.NaN);
      expect(asFloat(multiplyAdd(module, asBits(1), asBits(1), asBits(Number.NaN)))).to.deep.equal(Number.NaN);
    }
  });

  it('are sums in ascending order for every shape, and write nothing else', () => {
    const side = fc.oneof(fc.integer({ min: 1, max: 26 }), fc.constantFrom(64, 70));
    fc.assert(
      fc.property(
        side,
        side,
        side,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        (m, n, k, ta, tb, hasBias, seed) => {
          const number = (i: number) => Math.fround(Math.sin(seed + i * 7.31));
          const [a, b, bias, c, scratch] = [4096, 40_960, 81_920, 90_112, 131_072] as const;
          const results = modules.map(({ exports, memory }) => {
            const floats = new Float32Array(memory.buffer);
            for (let i = 0; i < m * k; i++) floats[a / 4 + i] = number(i);
            for (let i = 0; i < k * n; i++) floats[b / 4 + i] = number(i + 5000);
            for (let i = 0; i < n; i++) floats[bias / 4 + i] = number(i + 9000);
            floats.fill(7, c / 4 - 64, c / 4 + m * n + 64);
            exports.gemm(a, b, hasBias ? bias : 0, c, m, n, k, Number(ta), Number(tb), 1, 0, 0, 0, scratch);
            const around = [floats.slice(c / 4 - 64, c / 4), floats.slice(c / 4 + m * n, c / 4 + m * n + 64)];
            expect(around.every((side) => side.every((value) => value === 7))).to.equal(true);
            return floats.slice(c / 4, c / 4 + m * n);
          });
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < n; j++) {
              let sum = hasBias ? number(j + 9000) : 0;
              let size = Math.abs(sum);
              for (let l = 0; l < k; l++) {
                const product = number(ta ? l * m + i : i * k + l) * number(5000 + (tb ? j * k + l : l * n + j));
                sum += product;
                size += Math.abs(product);
              }
              // k roundings, each by at most 2^-24 of a sum that is no larger than all sizes together.
              expect(results[0]![i * n + j]).to.be.closeTo(sum, 1.01 * k * 2 ** -24 * size);
            }
          }
          expect(results[1]).to.deep.equal(results[0]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('give the known bits of training on a processor that cannot fuse', async () => {
    const script = fileURLToPath(new URL('../../support/trainDigestsHere.ts', import.meta.url));
    const known = await readFile(new URL('../../../vectors/training.json', import.meta.url), 'utf8');
    // V8 then has no fused instruction on x64; other processors always fuse, and the option changes nothing.
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-enable-fma3', script]);
    expect(JSON.parse(stdout)).to.deep.equal(JSON.parse(known));
  });
});

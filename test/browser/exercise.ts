/**
 * Whole rounds of every rule and every server step over rows that make trouble, each as one digest of everything that
 * comes out: run by the kernels on another platform, they must give the digests that plain TypeScript gave
 * (test/vectors/kernels.json). Runs in a browser as it is.
 */
import { sha256 } from '#sha256';
import { createRandom } from '../../client/random.ts';
import { quantizeStochastic } from '../../client/update/quantizeStochastic.ts';
import { minimumUpdates, parseRule, type RuleOptions } from '../../protocol/aggregation/rule.ts';
import { FED_AVG, Q16, type ServerStep, stateVectors } from '../../protocol/aggregation/serverStep.ts';
import { concatBytes, toHex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import { encodeModel } from '../../protocol/encoding/vectors.ts';
import { loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { RoundEngine } from '../../protocol/round/engine/roundEngine.ts';
import { runRoundInMemory } from '../../protocol/round/memoryRound.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import {
  KINDS,
  randomModel,
  randomRound,
  randomState,
  roundParameters,
  xorshift,
} from '../protocol/support/randomRounds.ts';

/** Digest by name of what was computed. */
export type Digests = Record<string, string>;

const RULES: readonly (readonly [name: string, options?: RuleOptions])[] = [
  ['fedavg'],
  ['median'],
  ['trimmed-mean'],
  ['meamed'],
  ['krum'],
  ['multi-krum'],
  ['bulyan'],
  ['nnm+fedavg'],
  ['nnm+median'],
  ['nnm+trimmed-mean'],
  ['nnm+meamed'],
  ['bucketing+median', { bucketSize: 3 }],
  ['bucketing+krum', { bucketSize: 2 }],
  ['arc+fedavg'],
  ['arc+trimmed-mean'],
  ['arc+nnm+trimmed-mean'],
  ['geometric-median'],
  ['nnm+geometric-median', { iterations: 3 }],
  ['centered-clipping', { radius: 30_000n }],
  ['nnm+centered-clipping', { radius: 30_000n }],
  ['mda'],
  ['monna', { reference: 4 }],
  ['caf'],
  ['foolsgold'],
  ['signguard'],
  ['fltrust', { reference: 7 }],
];
const MOMENTS = { learningRateQ16: Q16 / 8, momentumQ16: (Q16 * 9) / 10, adaptivity: 1 << 14 };
const STEPS: readonly ServerStep[] = [
  { ...FED_AVG, optimizer: 'fedAvgM', learningRateQ16: Q16 / 2, momentumQ16: 58_982 },
  { ...MOMENTS, optimizer: 'fedAdagrad', momentumQ16: 0, secondMomentQ16: 0 },
  { ...MOMENTS, momentumQ16: 58_982, optimizer: 'fedAdam', secondMomentQ16: 64_880 },
  { ...MOMENTS, momentumQ16: 58_982, optimizer: 'fedYogi', secondMomentQ16: 64_880 },
];
/** No multiple of anything, several blocks of the smallest chunks. */
const DIMENSION = 1003;
/** Leaves that kernels hash, and leaves that a platform's own hash may. */
const CHUNK_SIZES = [16, 256, 1024];

/** Every rule and step by `engine`; the border between floats and integers by kernels, or plainly. */
export async function exercise(engine: RoundEngine): Promise<Digests> {
  const digests: Digests = {};
  for (const [name, options] of RULES) {
    for (const [i, kind] of KINDS.entries()) {
      digests[`${name}, ${kind}`] = await roundDigest(engine, name, options, FED_AVG, kind, CHUNK_SIZES[i % 3]!);
    }
  }
  for (const step of STEPS) {
    for (const kind of KINDS) {
      digests[`${step.optimizer}, ${kind}`] = await roundDigest(engine, 'trimmed-mean', undefined, step, kind, 256);
    }
  }
  return { ...digests, ...borderDigests(engine.name === 'wasm' ? new QuantizeKernel(loadKernels()) : null) };
}

async function roundDigest(
  engine: RoundEngine,
  name: string,
  options: RuleOptions | undefined,
  serverStep: ServerStep,
  kind: (typeof KINDS)[number],
  chunkSize: number,
): Promise<string> {
  const rule = parseRule(name, 2, options);
  const n = minimumUpdates(rule) + 3;
  const parameters = roundParameters({ dimension: DIMENSION, chunkSize, rule, serverStep });
  const { payloads, modelPayload } = randomRound(parameters, n, kind, 2024);
  const planes = stateVectors(serverStep);
  const indices = Array.from({ length: n }, (_, i) => i + Number(i > 2)); // nobody is participant 3
  const round = {
    rows: payloads,
    model: modelPayload,
    state: planes === 0 ? null : randomState(parameters, planes, 99),
    previousModel: encodeModel(randomModel(DIMENSION, xorshift(7)), layoutOf(parameters)),
  };
  const context = { indices, seed: `0x${'5e'.repeat(32)}` as const };
  const result = await runRoundInMemory(engine, parameters, context, round, { commitUpdates: true });
  const { model, state, gramPayload, gram: _, mixing, ...facts } = result;
  const text = JSON.stringify({ ...facts, mixing }, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value instanceof Int32Array ? [...value] : value,
  );
  return digest(model, state ?? new Uint8Array(0), gramPayload ?? new Uint8Array(0), new TextEncoder().encode(text));
}

function borderDigests(kernel: QuantizeKernel | null): Digests {
  const random = createRandom('border');
  const floats = (largest: number) => Float32Array.from({ length: 40_001 }, () => (random.nextFloat() - 0.5) * largest);
  const [update, error] = [floats(1.2), floats(2 ** -17)];
  const rounded = quantizeStochastic(update, error, 16, createRandom('draws'), kernel);
  const model = randomModel(DIMENSION, xorshift(3));
  const weights = kernel === null ? fixedToFloat(model, 24) : kernel.fixedToFloat(model, 24);
  return {
    quantizeStochastic: digest(rounded.quantized, rounded.error, Uint8Array.of(rounded.saturated & 255)),
    fixedToFloat: digest(weights),
  };
}

/** The platforms are little-endian, as WebAssembly is. */
function digest(...parts: readonly ArrayBufferView[]): string {
  const bytes = parts.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  return toHex(sha256(concatBytes(...bytes)));
}

/**
 * One coordinate of the rule and of the server step in integers of any size, written for a judge: plain, apart from the
 * kernels that aggregate whole chunks, and defined for every mixing matrix of the right shape and every state that
 * somebody may have published. The Solidity twins are contracts/libraries/CoordinateStep.sol and ServerState.sol; spec:
 * docs/spec/rules.md.
 */
import { WEIGHT_ONE } from '../aggregation/preAggregation/mixing.ts';
import type { Rule } from '../aggregation/rule.ts';
import type { ServerStep } from '../aggregation/serverStep.ts';
import { INT32_MAX, INT32_MIN } from '../encoding/fixedPoint.ts';
import { malformed } from './disputedRound.ts';

/** A mixing matrix as its preimage spells it; entries are any int32. */
export interface ReadMixing {
  readonly rows: number;
  readonly denominator: number;
  weight(row: number, column: number): bigint;
}

/** What the server remembers about a coordinate; zeros before the first publication. */
export interface StateCoordinate {
  /** FedAvgM's velocity, m of the adaptive steps: an int32. */
  readonly momentum: bigint;
  /** v of the adaptive steps: an unsigned 64-bit integer. Zero for FedAvgM. */
  readonly secondMoment: bigint;
}

export const NO_STATE: StateCoordinate = { momentum: 0n, secondMoment: 0n };

const ONE = 65_536n;
const SECOND_MOMENT_MAX = 2n ** 62n - 1n;

/** The shape that an enforceable rule's mixing matrix has for n updates. */
export function mixingShape(rule: Rule, n: number): { readonly rows: number; readonly denominator: number } {
  const f = rule.byzantine;
  const [stage] = rule.preAggregations;
  if (stage === 'nearestNeighborMixing') return { rows: n, denominator: n - f };
  if (stage === 'bucketing') {
    const size = Math.min(rule.bucketSize, n);
    const rest = n % size;
    // One over the number of its rows is a whole weight for every bucket, also for the last one.
    const common = rest === 0 ? size : (size / greatestCommonDivisor(size, rest)) * rest;
    return { rows: Math.ceil(n / size), denominator: common };
  }
  if (stage === 'adaptiveClipping') return { rows: n, denominator: WEIGHT_ONE };
  return { rows: rule.selected === 0 ? n - f : rule.selected, denominator: 1 };
}

/**
 * 0x20 | u16 m | u16 n | u32 denominator | m * n * i32.
 * @throws AssayError `PROOF_MALFORMED` for another shape than the rule's: that is bad mixing's business.
 */
export function readMixing(rule: Rule, n: number, preimage: Uint8Array): ReadMixing {
  const { rows, denominator } = mixingShape(rule, n);
  const view = new DataView(preimage.buffer, preimage.byteOffset, preimage.length);
  if (
    preimage.length !== 9 + 4 * rows * n ||
    view.getUint8(0) !== 0x20 ||
    view.getUint16(1) !== rows ||
    view.getUint16(3) !== n ||
    view.getUint32(5) !== denominator
  ) {
    throw malformed('the mixing matrix has not the shape that the rule gives it', `${rows} x ${n} over ${denominator}`);
  }
  return { rows, denominator, weight: (r, i) => BigInt(view.getInt32(9 + 4 * (r * n + i))) };
}

/**
 * The combined update at the coordinate in units of the model, an int32.
 * @param column the updates' coordinate, in row order
 * @param mixing null for a rule without
 * @param shift F - G
 */
export function recomputeDelta(
  rule: Rule,
  shift: number,
  column: readonly bigint[],
  mixing: ReadMixing | null,
): bigint {
  const mixed =
    mixing === null
      ? [...column]
      : Array.from({ length: mixing.rows }, (_, r) => column.reduce((sum, q, i) => sum + mixing.weight(r, i) * q, 0n));
  const { numerator, denominator } = combine(rule, mixed);
  return saturate((numerator << BigInt(shift)) / (denominator * BigInt(mixing?.denominator ?? 1)));
}

/** The next state of a step that has one. */
export function recomputeState(step: ServerStep, state: StateCoordinate, delta: bigint): StateCoordinate {
  const beta1 = BigInt(step.momentumQ16);
  if (step.optimizer === 'fedAvgM') {
    return { momentum: saturate((beta1 * state.momentum) / ONE + delta), secondMoment: 0n };
  }
  const next = nextSecondMoment(step, state.secondMoment, delta * delta);
  return {
    momentum: saturate((beta1 * state.momentum + (ONE - beta1) * delta) / ONE),
    secondMoment: next > SECOND_MOMENT_MAX ? SECOND_MOMENT_MAX : next,
  };
}

/** The next model coordinate of a step without state. */
export function moveByDelta(step: ServerStep, model: bigint, delta: bigint): bigint {
  return saturate(model + (BigInt(step.learningRateQ16) * delta) / ONE);
}

/** The next model coordinate of a step with state, from the state that was published. */
export function moveByState(
  step: ServerStep,
  modelFractionBits: number,
  model: bigint,
  state: StateCoordinate,
): bigint {
  if (step.optimizer === 'fedAvgM') return moveByDelta(step, model, state.momentum);
  const most = BigInt(INT32_MAX);
  const whole = (state.momentum * ONE) / (root(state.secondMoment) + BigInt(step.adaptivity));
  const ratio = whole > most ? most : whole < -most ? -most : whole;
  return saturate(model + (BigInt(step.learningRateQ16) * ratio) / 2n ** BigInt(32 - modelFractionBits));
}

function combine(rule: Rule, values: bigint[]): { readonly numerator: bigint; readonly denominator: bigint } {
  const m = values.length;
  const f = rule.byzantine;
  if (rule.combine === 'mean') return { numerator: sum(values), denominator: BigInt(m) };
  const sorted = values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (rule.combine === 'trimmedMean') return meanOf(sorted.slice(f, m - f));
  const twiceMedian = sorted[Math.floor((m - 1) / 2)]! + sorted[Math.floor(m / 2)]!;
  if (rule.combine === 'meaMed') {
    const far = (x: bigint) => (2n * x > twiceMedian ? 2n * x - twiceMedian : twiceMedian - 2n * x);
    // Of equally far values the lower one is nearer: a stable sort of ascending values.
    const byDistance = sorted.toSorted((a, b) => (far(a) < far(b) ? -1 : far(a) > far(b) ? 1 : 0));
    return meanOf(byDistance.slice(0, m - f));
  }
  return m % 2 === 1 ? { numerator: twiceMedian / 2n, denominator: 1n } : { numerator: twiceMedian, denominator: 2n };
}

function nextSecondMoment({ optimizer, secondMomentQ16 }: ServerStep, v: bigint, square: bigint): bigint {
  const beta2 = BigInt(secondMomentQ16);
  if (optimizer === 'fedAdagrad') return v + square;
  if (optimizer === 'fedAdam') return (beta2 * v + (ONE - beta2) * square) / ONE;
  const step = ((ONE - beta2) * (v < square ? square - v : v - square)) / ONE;
  return v < square ? v + step : v - step;
}

/** floor(sqrt(v)) by bisection: 0 <= v < 2^64. */
function root(v: bigint): bigint {
  let [low, high] = [0n, 2n ** 32n];
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle * middle <= v) low = middle;
    else high = middle;
  }
  return low;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function meanOf(kept: readonly bigint[]): { readonly numerator: bigint; readonly denominator: bigint } {
  return { numerator: sum(kept), denominator: BigInt(kept.length) };
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function saturate(x: bigint): bigint {
  if (x > BigInt(INT32_MAX)) return BigInt(INT32_MAX);
  return x < BigInt(INT32_MIN) ? BigInt(INT32_MIN) : x;
}

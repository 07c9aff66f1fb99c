/** Rounds for property tests, a whole one from one seed: large vectors cost a generator of coordinates too much. */
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf, encodeModel, encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { type LearningParameters, layoutOf, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';

/** `ties`: few values. `ordinary`: as updates are. `extremes`: -32768, -32767, 32767 and little else. */
export const KINDS = ['ties', 'ordinary', 'large', 'extremes'] as const;
export type Kind = (typeof KINDS)[number];

/** 32-bit xorshift: the same numbers for the same seed, good enough for data. */
export function xorshift(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** An update of shape [d]. */
export function randomUpdate(d: number, kind: Kind, next: () => number): Int16Array {
  const update = new Int16Array(d);
  const extremes = [-32768, -32767, 32767, 0, 1, -1];
  for (let k = 0; k < d; k++) {
    const value = next();
    if (kind === 'ties') update[k] = (value % 5) - 2;
    else if (kind === 'ordinary') update[k] = (value % 4001) - 2000;
    else if (kind === 'large') update[k] = value & 0xffff;
    else update[k] = extremes[value % extremes.length]!;
  }
  return update;
}

/** A model or a plane of server state, shape [d]; now and then at the ends of int32. */
export function randomModel(d: number, next: () => number): Int32Array {
  return Int32Array.from({ length: d }, () => {
    const value = next();
    if (value % 97 === 0) return 2 ** 31 - 1;
    if (value % 89 === 0) return -(2 ** 31);
    return next() | 0;
  });
}

export interface RandomRound {
  readonly rows: readonly Int16Array[];
  readonly model: Int32Array;
  /** Encoded. */
  readonly payloads: readonly Uint8Array[];
  readonly modelPayload: Uint8Array;
}

/** Rows and model of shape [n, d] and [d], with their payloads. Some rows are equal. */
export function randomRound(parameters: LearningParameters, n: number, kind: Kind, seed: number): RandomRound {
  const next = xorshift(seed);
  const layout = layoutOf(parameters);
  const rows: Int16Array[] = [];
  for (let i = 0; i < n; i++) {
    rows.push(i > 0 && next() % 8 === 0 ? rows[next() % i]! : randomUpdate(parameters.dimension, kind, next));
  }
  const model = randomModel(parameters.dimension, next);
  return {
    rows,
    model,
    payloads: rows.map((row) => encodeUpdate(row, layout)),
    modelPayload: encodeModel(model, layout),
  };
}

/** A server state of `planes` planes, encoded; zero beyond the last coordinate. */
export function randomState(parameters: LearningParameters, planes: number, seed: number): Uint8Array {
  const { chunkCount, chunkSize } = vectorLayout(parameters.dimension, parameters.chunkSize);
  const next = xorshift(seed);
  const state = new Int32Array(chunkCount * chunkSize * planes);
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    for (let plane = 0; plane < planes; plane++) {
      for (let k = 0; k < chunkSize && chunk * chunkSize + k < parameters.dimension; k++) {
        state[(chunk * planes + plane) * chunkSize + k] = next() | 0;
      }
    }
  }
  return bytesOf(state);
}

/** The parameters of a federation for such rounds. */
export function roundParameters(
  choice: Pick<LearningParameters, 'dimension' | 'chunkSize' | 'rule' | 'serverStep'>,
): LearningParameters {
  return { ...choice, normSqBound: NO_NORM_BOUND, modelFractionBits: 24, updateFractionBits: 16 };
}

/**
 * Federated averaging in floating point, without chain, attackers or quantisation, for benches that ask what data or
 * work are worth.
 */
import type { AnyDataset } from '../../client/datasets/text/textDataset.ts';
import type { Engine } from '../../client/training/tfjs/engine.ts';

export interface Federating {
  readonly rounds: number;
  /** Of the first model. */
  readonly seed: string;
  /** Of a silo's training, by its index. */
  readonly siloSeed: (silo: number) => string;
  /** Server momentum, 0 <= momentum < 1. */
  readonly momentum: number;
  readonly onRound?: (weights: Float32Array, round: number) => void;
}

/**
 * Federated averaging (McMahan et al. 2017), all silos alike, with the server momentum of Hsu, Qi and Brown 2019.
 *
 * @returns weights after the last round
 */
export function federate(
  engine: Engine,
  silos: readonly AnyDataset[],
  { rounds, seed, siloSeed, momentum, onRound }: Federating,
): Float32Array {
  let weights = engine.init(seed);
  const velocity = new Float64Array(weights.length);
  for (let round = 1; round <= rounds; round++) {
    const sum = new Float64Array(weights.length);
    silos.forEach((silo, i) => {
      engine.train(silo, { weights, round, seed: siloSeed(i) }).weights.forEach((value, k) => {
        sum[k]! += (value - weights[k]!) / silos.length;
      });
    });
    weights = weights.map((value, k) => {
      velocity[k] = momentum * velocity[k]! + sum[k]!;
      return value + velocity[k]!;
    });
    onRound?.(weights, round);
  }
  return weights;
}

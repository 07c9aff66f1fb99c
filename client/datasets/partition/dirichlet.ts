import { AssayError } from '../../../protocol/errors.ts';
import { createRandom, permutation, type Random, type SeedPart } from '../../random.ts';
import type { Dataset } from '../dataset.ts';

/** Every silo holds at least this many samples, where the data set is big enough for that. */
const MINIMUM_SAMPLES = 20;
const MAXIMUM_DRAWS = 50;

/**
 * Label-skewed silos (Hsu, Qi and Brown 2019, "Measuring the effects of non-identical data distribution", in the
 * per-class form of Yurochkin et al. 2019, section 4): for each class, shares over the silos are drawn from
 * Dirichlet(alpha) and the class's shuffled samples cut accordingly. Small alpha: few classes per silo; large alpha:
 * alike.
 *
 * A draw that leaves a silo nearly empty is repeated. With a very small alpha every draw does: then the last one is
 * kept and the small silos are filled up from the largest.
 *
 * @returns row indices of each silo; every row is in exactly one
 * @throws AssayError PARTITION_IMPOSSIBLE when there are fewer samples than silos
 */
export function partitionDirichlet(
  dataset: Pick<Dataset, 'name' | 'size' | 'classes' | 'y'>,
  silos: number,
  alpha: number,
  seed: SeedPart,
): Uint32Array[] {
  if (dataset.size < silos) {
    throw new AssayError('PARTITION_IMPOSSIBLE', {
      summary: `${dataset.name} has fewer samples than there are silos`,
      expected: `at least ${silos} samples`,
      received: String(dataset.size),
      fix: 'use fewer silos or more data',
    });
  }
  const byClass = Array.from({ length: dataset.classes }, (): number[] => []);
  dataset.y.forEach((label, row) => {
    byClass[label]!.push(row);
  });
  const minimum = Math.max(1, Math.min(MINIMUM_SAMPLES, Math.floor(dataset.size / (4 * silos))));
  const random = createRandom(seed, 'dirichlet', silos, alpha);
  let drawn = drawSilos(byClass, silos, alpha, random);
  for (let draw = 1; draw < MAXIMUM_DRAWS && drawn.some((rows) => rows.length < minimum); draw++) {
    drawn = drawSilos(byClass, silos, alpha, random);
  }
  fillUp(drawn, minimum);
  // Sorted, so that a silo's rows do not depend on the order of classes; training shuffles them anyway.
  return drawn.map((rows) => Uint32Array.from(rows).sort());
}

/**
 * Moves rows from the largest silo (the first of equals) to those below the minimum; the largest always has more than
 * it.
 */
function fillUp(drawn: readonly number[][], minimum: number): void {
  for (const rows of drawn) {
    while (rows.length < minimum) {
      const largest = drawn.reduce((most, other) => (other.length > most.length ? other : most));
      rows.push(largest.pop()!);
    }
  }
}

function drawSilos(byClass: readonly number[][], silos: number, alpha: number, random: Random): number[][] {
  const drawn = Array.from({ length: silos }, (): number[] => []);
  for (const rows of byClass) {
    const order = permutation(random, rows.length);
    const shares = sampleDirichlet(random, silos, alpha);
    let cumulative = 0;
    let start = 0;
    shares.forEach((share, silo) => {
      cumulative += share;
      const end = silo === silos - 1 ? rows.length : Math.round(Math.min(1, cumulative) * rows.length);
      for (let i = start; i < end; i++) drawn[silo]!.push(rows[order[i]!]!);
      start = end;
    });
  }
  return drawn;
}

/** One draw from the symmetric Dirichlet distribution: Gamma(alpha) draws divided by their sum. */
export function sampleDirichlet(random: Random, size: number, alpha: number): number[] {
  const logs = Array.from({ length: size }, () => sampleLogGamma(random, alpha));
  // In logarithms, because Gamma(0.01) draws underflow to zero and their sum may be zero too.
  const largest = Math.max(...logs);
  const scaled = logs.map((value) => Math.exp(value - largest));
  const sum = scaled.reduce((total, value) => total + value, 0);
  return scaled.map((value) => value / sum);
}

/**
 * Logarithm of a Gamma(shape, 1) draw: Marsaglia and Tsang 2000, section 6 for shapes below 1 (Gamma(a) = Gamma(a+1) *
 * U^(1/a)).
 */
export function sampleLogGamma(random: Random, shape: number): number {
  if (shape < 1) return sampleLogGamma(random, shape + 1) + Math.log(1 - random.nextFloat()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.nextNormal();
    const t = 1 + c * x;
    if (t <= 0) continue;
    const v = t * t * t;
    if (Math.log(1 - random.nextFloat()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

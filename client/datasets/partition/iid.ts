import { createRandom, permutation, type SeedPart } from '../../random.ts';
import type { Dataset } from '../dataset.ts';

/**
 * Silos that are alike: a seeded shuffle dealt out in equal parts (the first `size mod silos` silos hold one sample
 * more).
 */
export function partitionIid(dataset: Pick<Dataset, 'size'>, silos: number, seed: SeedPart): Uint32Array[] {
  const order = permutation(createRandom(seed, 'iid', silos), dataset.size);
  const small = Math.floor(dataset.size / silos);
  const larger = dataset.size % silos;
  let start = 0;
  return Array.from({ length: silos }, (_, silo) => {
    const end = start + small + (silo < larger ? 1 : 0);
    const rows = order.slice(start, end).sort();
    start = end;
    return rows;
  });
}

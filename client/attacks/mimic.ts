import type { Attack, OmniscientView } from './attack.ts';
import { innerProduct, meanOf } from './statistics.ts';

const NOTE = 'mimicked participant';
const POWER_STEPS = 30;

/**
 * Mimic (Karimireddy, He and Jaggi 2022, "Byzantine-robust learning on heterogeneous datasets via bucketing", appendix
 * B): all attackers send the update of one honest participant, which weighs f + 1 times and shuts others out, though every
 * single update is honest. Mimicked is, all along, the one farthest out along the direction of largest variance in the
 * first round (the paper learns that direction in a longer warm-up). On a chain the update is sealed until everybody has
 * committed, and a copy of its bytes is voided: an attacker of the simulator rounds it with its own dice.
 */
export const mimic: Attack = {
  name: 'mimic',
  summary: 'all attackers send the update of one honest participant (simulator only)',
  conspire(view) {
    let chosen = view.notes.get(NOTE);
    if (chosen === undefined || chosen >= view.honest.length) {
      chosen = farthestOut(view.honest);
      view.notes.set(NOTE, chosen);
    }
    return view.honest[chosen]!.slice();
  },
};

/** Index of the largest entry of the centred Gram matrix's leading eigenvector; the lower of equals. */
function farthestOut(honest: OmniscientView['honest']): number {
  const mean = meanOf(honest);
  const centred = honest.map((row) => row.map((value, k) => value - mean[k]!));
  const gram = centred.map((row) => centred.map((other) => innerProduct(row, other)));
  let vector = honest.map((_, i) => gram[i]![i]!);
  for (let step = 0; step < POWER_STEPS; step++) {
    const next = gram.map((row) => row.reduce((sum, entry, j) => sum + entry * vector[j]!, 0));
    const largest = Math.max(...next.map(Math.abs));
    if (largest === 0) return 0;
    vector = next.map((entry) => entry / largest);
  }
  return vector.reduce((best, entry, i) => (Math.abs(entry) > Math.abs(vector[best]!) ? i : best), 0);
}

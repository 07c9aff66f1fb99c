import { AssayError } from '../../protocol/errors.ts';
import type { Attack } from './attack.ts';
import { freeRider } from './freeRider.ts';
import { gaussian } from './gaussian.ts';
import { innerProductManipulation } from './innerProductManipulation.ts';
import { labelFlipping } from './labelFlipping.ts';
import { signFlipping } from './signFlipping.ts';

/** Every attack a lone node can run. */
export const attacks: readonly Attack[] = [signFlipping, gaussian, innerProductManipulation, labelFlipping, freeRider];

/**
 * The attack named on the command line; `sign-flipping` and `signFlipping` are the same.
 *
 * @throws AssayError ATTACK_UNKNOWN with the list
 */
export function parseAttack(name: string): Attack {
  const wanted = name.replaceAll('-', '').toLowerCase();
  const found = attacks.find((attack) => attack.name.toLowerCase() === wanted);
  if (found !== undefined) return found;
  throw new AssayError('ATTACK_UNKNOWN', {
    summary: 'there is no attack of that name',
    expected: attacks.map((attack) => attack.name).join(', '),
    received: JSON.stringify(name),
    fix: 'choose one of the list',
  });
}

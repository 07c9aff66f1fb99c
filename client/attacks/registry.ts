import { AssayError } from '../../protocol/errors.ts';
import { aLittleIsEnough, aLittleIsEnoughUpward } from './aLittleIsEnough.ts';
import { type Attack, isLone } from './attack.ts';
import { backdoor, scaledModelReplacement } from './backdoor.ts';
import { copycat } from './copycat.ts';
import { freeRider } from './freeRider.ts';
import { gaussian } from './gaussian.ts';
import { innerProductManipulation } from './innerProductManipulation.ts';
import { labelFlipping } from './labelFlipping.ts';
import { searchedALittleIsEnough, searchedInnerProductManipulation } from './lineSearch.ts';
import { mimic } from './mimic.ts';
import { minMax, minSum } from './minMax.ts';
import { notANumber, overflow } from './overflow.ts';
import { scaledSignFlipping, signFlipping } from './signFlipping.ts';

/** Every attack. */
export const attacks: readonly Attack[] = [
  signFlipping,
  scaledSignFlipping,
  gaussian,
  labelFlipping,
  innerProductManipulation,
  searchedInnerProductManipulation,
  aLittleIsEnough,
  aLittleIsEnoughUpward,
  searchedALittleIsEnough,
  mimic,
  minMax,
  minSum,
  backdoor,
  scaledModelReplacement,
  freeRider,
  copycat,
  overflow,
  notANumber,
];

/** Every attack that a node can run: it needs no update that is sealed until it is too late. */
export const loneAttacks: readonly Attack[] = attacks.filter(isLone);

/**
 * The attack named on the command line or in a grid; `sign-flipping` and `signFlipping` are the same.
 *
 * @throws AssayError ATTACK_UNKNOWN with the list
 */
export function parseAttack(name: string): Attack {
  return find(name, attacks, 'choose one of the list');
}

/** The same for a node. @throws AssayError ATTACK_UNKNOWN with the list of those that a node can run */
export function parseLoneAttack(name: string): Attack {
  return find(name, loneAttacks, 'choose one of the list; the others are there in `assay simulate`');
}

function find(name: string, among: readonly Attack[], fix: string): Attack {
  const wanted = name.replaceAll('-', '').toLowerCase();
  const found = among.find((attack) => attack.name.toLowerCase() === wanted);
  if (found !== undefined) return found;
  throw new AssayError('ATTACK_UNKNOWN', {
    summary: 'there is no attack of that name',
    expected: among.map((attack) => attack.name).join(', '),
    received: JSON.stringify(name),
    fix,
  });
}

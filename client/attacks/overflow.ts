import { INT16_MAX } from '../../protocol/encoding/fixedPoint.ts';
import type { Attack } from './attack.ts';

/**
 * Every coordinate at the end of the int16 range, against the own update: the largest vector a payload can hold. Under a
 * norm bound the contract refuses to count it at the reveal; without one it is an outlier like others, since integers do
 * not overflow into anything.
 */
export const overflow: Attack = {
  name: 'overflow',
  summary: 'sends coordinates of +-32767, past the own checks',
  forgePayload: ({ update }) => Int16Array.from(update, (value) => (value > 0 ? -INT16_MAX : INT16_MAX)),
};

/** float32 NaN is 0x7fc00000: as two little-endian int16, 0 and 32704. */
const NAN_HALVES = [0, 0x7fc0] as const;

/**
 * The bytes of float32 NaN as a payload. One NaN wins Krum and poisons median and mean where updates are floats; here any
 * bytes are integers, and these are a vector far beyond a norm bound. (A node whose own training gives NaN sends nothing:
 * `checkFinite` names the tensor.)
 */
export const notANumber: Attack = {
  name: 'notANumber',
  summary: 'sends the bytes of NaN, past the own checks',
  forgePayload: ({ update }) => Int16Array.from(update, (_, k) => NAN_HALVES[k % 2]!),
};

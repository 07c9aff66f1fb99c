import type { FractionBits } from '../../../protocol/aggregation/serverStep.ts';

/** Fraction bits that are `shift` apart: F - G = shift. */
export const shiftedBy = (shift: number): FractionBits => ({ modelFractionBits: 14 + shift, updateFractionBits: 14 });

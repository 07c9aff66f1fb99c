import type { Hex } from '../../protocol/encoding/bytes.ts';

/** ethers' hexadecimal text (addresses with a checksum in their case) as the lower-case text used here. */
export function hexOf(text: string): Hex {
  return text.toLowerCase() as Hex;
}

import { keccak_256 } from '@noble/hashes/sha3.js';
import { fromHex, type Hex, toHex, uintBytes } from '../encoding/bytes.ts';

/** Keccak-256 as the EVM computes it. Used where the contract hashes words, never for vectors. */
export function keccak256(bytes: Uint8Array): Hex {
  return toHex(keccak_256(bytes));
}

/** An unsigned integer as one ABI word (32 bytes, big-endian). */
export function abiUint(value: bigint | number): Uint8Array {
  return uintBytes(BigInt(value), 32);
}

/** A bytes32 or an address as one ABI word (left-padded with zeros). */
export function abiWord(value: Hex): Uint8Array {
  const bytes = fromHex(value);
  const word = new Uint8Array(32);
  word.set(bytes, 32 - bytes.length);
  return word;
}

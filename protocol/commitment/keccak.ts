import { keccak_256 } from '@noble/hashes/sha3.js';
import { fromHex, type Hex, toHex, uintBytes } from '../encoding/bytes.ts';
import { AssayError } from '../errors.ts';

/** Keccak-256 as the EVM computes it. Used where the contract hashes words, never for vectors. */
export function keccak256(bytes: Uint8Array): Hex {
  return toHex(keccak_256(bytes));
}

/** An unsigned integer as one ABI word (32 bytes, big-endian). @throws AssayError `UINT_RANGE` for one below zero. */
export function abiUint(value: bigint | number): Uint8Array {
  return uintBytes(BigInt(value), 32);
}

/**
 * A bytes32 or an address as one ABI word (left-padded with zeros).
 * @throws AssayError `ABI_WORD` for any other length: a root that lost bytes must not hash as another one.
 */
export function abiWord(value: Hex): Uint8Array {
  const bytes = fromHex(value);
  if (bytes.length !== 32 && bytes.length !== 20) {
    throw new AssayError('ABI_WORD', {
      summary: 'neither a bytes32 nor an address',
      expected: '32 or 20 bytes in hexadecimal',
      received: `${bytes.length} bytes`,
    });
  }
  const word = new Uint8Array(32);
  word.set(bytes, 32 - bytes.length);
  return word;
}

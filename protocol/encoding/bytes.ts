/**
 * Bytes as the protocol writes them. Integers inside hashes are big-endian (as Solidity's `abi.encodePacked`), vectors
 * of coordinates are little-endian (as every machine that trains holds them in memory).
 */
import { AssayError } from '../errors.ts';

/** Lower-case hexadecimal with `0x`, as Ethereum libraries carry bytes. */
export type Hex = `0x${string}`;

/** 32 zero bytes: "no root" (no server state, no Gram matrix), never a valid commitment. */
export const ZERO_HASH: Hex = `0x${'00'.repeat(32)}`;

const HEX_DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `bytes` in lower-case hexadecimal with `0x`. */
export function toHex(bytes: Uint8Array): Hex {
  let text = '';
  for (const byte of bytes) text += HEX_DIGITS[byte];
  return `0x${text}`;
}

/**
 * The bytes that `text` spells.
 * @throws AssayError `HEX` when `text` is not `0x` followed by an even number of hexadecimal digits.
 */
export function fromHex(text: string): Uint8Array {
  if (!/^0x([0-9a-fA-F]{2})*$/.test(text)) {
    throw new AssayError('HEX', {
      summary: 'not a hexadecimal byte string',
      expected: '0x followed by an even number of hexadecimal digits',
      received: text.length > 80 ? `${text.slice(0, 80)}...` : text,
    });
  }
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16);
  return bytes;
}

/** All `parts`, one after the other, in memory of their own. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** `value` as `size` big-endian bytes. @throws AssayError `UINT_RANGE` when it does not fit. */
export function uintBytes(value: bigint, size: number): Uint8Array {
  if (value < 0n || value >> BigInt(8 * size) !== 0n) {
    throw new AssayError('UINT_RANGE', {
      summary: 'an unsigned integer does not fit its field',
      expected: `0 <= value < 2^${8 * size}`,
      received: value.toString(),
    });
  }
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

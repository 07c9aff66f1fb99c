import { hash } from 'node:crypto';

/**
 * SHA-256 (FIPS 180-4) of `bytes`, 32 bytes, by Node's OpenSSL. The import `#sha256` names this file under Node and
 * `sha256.portable.ts` elsewhere; `test/protocol/commitment/sha256.test.ts` holds the two to the same bits.
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

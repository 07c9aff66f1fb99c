import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/**
 * SHA-256 (FIPS 180-4) of `bytes`, 32 bytes, in plain JavaScript: for browsers, where WebCrypto is asynchronous only.
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

/** Plain JavaScript is never faster than the kernels. */
export const ONE_SHOT_LEAF_BYTES = Number.POSITIVE_INFINITY;

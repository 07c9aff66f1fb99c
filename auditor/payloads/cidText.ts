import { cidFromBytes } from '../../protocol/encoding/cid.ts';

/** The text of a CID that somebody put on the chain; null when it is none. */
export function cidTextOrNull(bytes: Uint8Array): string | null {
  try {
    return cidFromBytes(bytes);
  } catch {
    return null;
  }
}

import { cidFromBytes, parseCid } from '../../protocol/encoding/cid.ts';

/** The text of a CID that somebody put on the chain; null when it is none. */
export function cidTextOrNull(bytes: Uint8Array): string | null {
  try {
    return cidFromBytes(bytes);
  } catch {
    return null;
  }
}

/** Whether a text that somebody wrote is the CID of a payload. */
export function isCidText(text: string): boolean {
  try {
    return parseCid(text).text === text;
  } catch {
    return false;
  }
}

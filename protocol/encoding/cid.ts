/**
 * CIDs: the names of payloads, models and manifests. TypeScript carries the text form (CIDv1, base32, `bafk...` or
 * `bafy...`); the contract carries the 36 bytes behind it:
 *
 *     0x01 (version) | 0x55 raw or 0x70 dag-pb | 0x12 (sha2-256) | 0x20 (32 bytes) | digest
 *
 * Only these are accepted, in canonical spelling, so two equal contents never have two names. Everything here is pure
 * and synchronous, for browsers too.
 *
 * Source: https://github.com/multiformats/cid
 */
import { base32 } from 'multiformats/bases/base32';
import { AssayError } from '../errors.ts';
import { DAG_PB_CODEC, RAW_CODEC, UnixfsFileBuilder } from './unixfsFile.ts';

/** Length of a binary CID as the contract stores it. */
export const CID_BYTES = 36;

/** A CID that was checked at the border. */
export interface ParsedCid {
  /** CIDv1 in base32, e.g. `bafkrei...`. */
  readonly text: string;
  /** `raw`: the content is this one block. `dag-pb`: the block lists other blocks. */
  readonly codec: 'raw' | 'dag-pb';
  /** SHA-256 of the block, 32 bytes. */
  readonly digest: Uint8Array;
  /** The 36 bytes the contract stores. */
  readonly bytes: Uint8Array;
}

/**
 * The name under which `bytes` are stored: the CID of the file in the profile `unixfs-v1-2025`, equal to what
 * `ipfs add` prints under that profile. For bytes that come in pieces use `UnixfsFileBuilder`.
 *
 * @example
 * payloadCid(new TextEncoder().encode('hello world'));
 * // 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
 */
export function payloadCid(bytes: Uint8Array): string {
  const builder = new UnixfsFileBuilder();
  builder.write(bytes);
  return builder.finish().cid;
}

/**
 * Parses a CID that came from outside (a user, a peer, a file).
 *
 * @throws AssayError `CID_INVALID` for anything but a canonical sha2-256 CIDv1 of codec raw or dag-pb.
 */
export function parseCid(text: string): ParsedCid {
  if (typeof text !== 'string') throw invalidCid(typeof text);
  if (text.startsWith('Qm')) {
    throw invalidCid(`the CIDv0 ${shorten(text)}`, 'convert it with `ipfs cid base32 <cid>`, or add the file again');
  }
  let bytes: Uint8Array;
  try {
    bytes = base32.decode(text);
  } catch (cause) {
    throw invalidCid(shorten(text), undefined, cause);
  }
  const parsed = parseCidBytes(bytes);
  if (parsed.text !== text) throw invalidCid(shorten(text), `write it as ${parsed.text}`);
  return parsed;
}

/**
 * Parses the bytes the contract (or a CAR, or a peer) holds.
 *
 * @throws AssayError `CID_INVALID`
 */
export function parseCidBytes(bytes: Uint8Array): ParsedCid {
  const codec = bytes[1];
  const known = codec === RAW_CODEC || codec === DAG_PB_CODEC;
  if (bytes.length !== CID_BYTES || bytes[0] !== 1 || !known || bytes[2] !== 0x12 || bytes[3] !== 32) {
    throw invalidCid(`${bytes.length} bytes, 0x${hex(bytes.subarray(0, 40))}`);
  }
  const copy = Uint8Array.from(bytes);
  return {
    text: base32.encode(copy),
    codec: codec === RAW_CODEC ? 'raw' : 'dag-pb',
    digest: copy.subarray(4),
    bytes: copy,
  };
}

/** The 36 bytes of a CID, as the contract takes them. @throws AssayError `CID_INVALID` */
export function cidToBytes(text: string): Uint8Array {
  return parseCid(text).bytes;
}

/** The text of a CID the contract holds. @throws AssayError `CID_INVALID` */
export function cidFromBytes(bytes: Uint8Array): string {
  return parseCidBytes(bytes).text;
}

function invalidCid(received: string, fix?: string, cause?: unknown): AssayError {
  return new AssayError('CID_INVALID', {
    summary: 'this is not a CID that Assay can use',
    expected: 'a CIDv1 with sha2-256 and codec raw or dag-pb: 59 characters that start with bafk or bafy (36 bytes)',
    received,
    fix: fix ?? 'copy the CID as Assay or `ipfs add --cid-version=1` printed it',
    cause,
  });
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

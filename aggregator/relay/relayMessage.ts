/**
 * What a participant posts to a relay: a message that it signed (EIP-712, chain/typedData.ts) and everything that the
 * contract needs besides. Nothing in it is believed before its signature is checked.
 */
import { z } from 'zod';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { parseCid } from '../../protocol/encoding/cid.ts';

const LARGEST_U64 = 2n ** 64n - 1n;
/** Of an opening: a chunk of the largest layout and its path. */
const LARGEST_OPENING_BYTES = 24_000;
/** A key's signature has 65 bytes; a contract's may be longer. */
const LARGEST_SIGNATURE_BYTES = 2_048;

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`)) as unknown as z.ZodType<Hex>;
const hexUpTo = (bytes: number) =>
  z
    .string()
    .max(2 + 2 * bytes)
    .regex(/^0x([0-9a-fA-F]{2})*$/) as unknown as z.ZodType<Hex>;
const u64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .refine((text) => BigInt(text) <= LARGEST_U64, 'more than 64 bits');
const cid = z.string().max(100).refine(isCid, 'not a CIDv1');

const from = { participant: hex(20), signature: hexUpTo(LARGEST_SIGNATURE_BYTES) };
const inRound = { ...from, round: z.int().positive(), opening: z.int().positive() };

const commit = z.strictObject({ type: z.literal('commit'), ...inRound, commitHash: hex(32) });
const reveal = z.strictObject({
  type: z.literal('reveal'),
  ...inRound,
  root: hex(32),
  normSq: u64,
  cid,
  salt: hex(32),
});
const answer = z.strictObject({
  type: z.literal('answer'),
  ...from,
  challenge: hex(32),
  payee: hex(20),
  bytes: hexUpTo(LARGEST_OPENING_BYTES),
});

export const relayMessage = z.discriminatedUnion('type', [commit, reveal, answer]);

export type RelayMessage = z.output<typeof relayMessage>;
export type RelayedCommit = z.output<typeof commit>;
export type RelayedReveal = z.output<typeof reveal>;
export type RelayedAnswer = z.output<typeof answer>;

function isCid(text: string): boolean {
  try {
    return parseCid(text).text === text;
  } catch {
    return false;
  }
}

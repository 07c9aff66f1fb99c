/**
 * The seed of a node's training and rounding: given, or drawn once and kept, so that a restart repeats the same bits.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { StateFolder } from '../../storage/stateFolder.ts';

const schema = z.strictObject({ seed: z.string().min(1) });

export async function nodeSeed(state: StateFolder, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const kept = await state.readJson('seed.json', schema);
  if (kept !== undefined) return kept.seed;
  const seed = randomBytes(32).toString('hex');
  await state.writeJson('seed.json', schema, { seed }, { mode: 0o600 });
  return seed;
}

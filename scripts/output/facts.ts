/** `--json FILE`: what a command found out, for machines. Written whole or not at all. */
import { writeFileAtomic } from '../../storage/atomicFile.ts';

/** Bigints become decimal text, bytes hexadecimal. */
export function toJson(value: unknown, space?: number): string {
  return JSON.stringify(
    value,
    (_, item: unknown) => {
      if (typeof item === 'bigint') return item.toString();
      if (item instanceof Uint8Array) return `0x${Buffer.from(item).toString('hex')}`;
      if (item instanceof Map) return Object.fromEntries(item);
      return item;
    },
    space,
  );
}

export async function writeFacts(path: string | undefined, facts: unknown): Promise<void> {
  if (path !== undefined) await writeFileAtomic(path, `${toJson(facts, 2)}\n`);
}

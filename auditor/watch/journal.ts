/**
 * What a watchtower has sent, by what it was for, written down before it leaves: a restarted one looks up what became of
 * it instead of sending it twice. Everything else it needs is on the chain.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../writeFileAtomic.ts';

const JOURNAL_FORMAT = 'assay-watch/1';

const journalSchema = z.strictObject({
  format: z.literal(JOURNAL_FORMAT),
  chainId: z.number().int(),
  federation: z.string(),
  sent: z.record(z.string(), z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex, Hex>),
});

export class Journal {
  private readonly path: string;
  private readonly head: { readonly chainId: number; readonly federation: Hex };
  private readonly sent: Map<string, Hex>;

  private constructor(path: string, head: Journal['head'], sent: Map<string, Hex>) {
    this.path = path;
    this.head = head;
    this.sent = sent;
  }

  /** @throws AssayError `WATCH_STATE` for a file that is none, or that is about another federation. */
  static async open(path: string, head: { readonly chainId: number; readonly federation: Hex }): Promise<Journal> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return new Journal(path, head, new Map());
    const parsed = journalSchema.safeParse(parseJson(text));
    const right = parsed.success && parsed.data.chainId === head.chainId && parsed.data.federation === head.federation;
    if (right) return new Journal(path, head, new Map(Object.entries(parsed.data.sent)));
    throw new AssayError('WATCH_STATE', {
      summary: `${path} is not the journal of this watchtower`,
      expected: `${JOURNAL_FORMAT} about ${head.federation} on chain ${head.chainId}`,
      received: parsed.success ? `${parsed.data.federation} on chain ${parsed.data.chainId}` : 'something else',
      fix: 'name another state folder: one for each federation',
    });
  }

  /** The transaction that was sent for it. */
  find(what: string): Hex | undefined {
    return this.sent.get(what);
  }

  /** On the disk when it returns. */
  async write(what: string, transaction: Hex): Promise<void> {
    this.sent.set(what, transaction);
    await this.save();
  }

  async forget(what: string): Promise<void> {
    this.sent.delete(what);
    await this.save();
  }

  private save(): Promise<void> {
    const document = { format: JOURNAL_FORMAT, ...this.head, sent: Object.fromEntries(this.sent) };
    return writeFileAtomic(this.path, `${JSON.stringify(document, null, 1)}\n`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

import { writeFacts } from './facts.ts';

/**
 * The `--json` file of a node: its events, written again after each round so that a killed node leaves the facts so
 * far.
 */
export class FactsFile {
  private readonly path: string | undefined;
  private readonly head: Record<string, unknown>;
  private readonly events: { readonly type: string }[] = [];
  private writing: Promise<void> = Promise.resolve();

  constructor(path: string | undefined, head: Record<string, unknown>) {
    this.path = path;
    this.head = head;
  }

  add(event: { readonly type: string }): void {
    if (this.path === undefined || event.type === 'training' || event.type === 'waiting') return;
    this.events.push(event);
    // What cannot be written now is written, or complained about, with the rest at the end.
    if (event.type === 'revealed' || event.type === 'published') this.write().catch(() => undefined);
  }

  write(): Promise<void> {
    this.writing = this.writing
      .catch(() => undefined)
      .then(() => writeFacts(this.path, { ...this.head, events: this.events }));
    return this.writing;
  }
}

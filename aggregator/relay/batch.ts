/**
 * Collects what arrives within a moment and handles it together. Batches of one kind are handled one after another, so
 * what arrives while one is on its way makes the next.
 */
export interface BatchOptions<Item, Result> {
  readonly handle: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** How long the first item waits for others. */
  readonly waitMs: number;
  readonly largest: number;
}

export class Batch<Item, Result> {
  private readonly options: BatchOptions<Item, Result>;
  private waiting: {
    readonly item: Item;
    readonly settle: (result: Result) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];
  private running: Promise<void> | null = null;

  constructor(options: BatchOptions<Item, Result>) {
    this.options = options;
  }

  get size(): number {
    return this.waiting.length;
  }

  add(item: Item): Promise<Result> {
    return new Promise((settle, fail) => {
      this.waiting.push({ item, settle, fail });
      this.running ??= this.run().finally(() => {
        this.running = null;
      });
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      if (this.waiting.length < this.options.largest) {
        await new Promise((resolve) => setTimeout(resolve, this.options.waitMs));
      }
      const batch = this.waiting.splice(0, this.options.largest);
      try {
        const results = await this.options.handle(batch.map(({ item }) => item));
        batch.forEach(({ settle }, i) => {
          settle(results[i]!);
        });
      } catch (error) {
        for (const { fail } of batch) fail(error);
      }
    }
  }
}

/** What a test started ends with it, in the opposite order, also when the test failed. */
export class Cleanup {
  private readonly actions: (() => Promise<void> | void)[] = [];

  add(action: () => Promise<void> | void): void {
    this.actions.push(action);
  }

  /** Everything is tried; the first failure is thrown at the end. */
  async run(): Promise<void> {
    let failure: unknown;
    for (const action of this.actions.splice(0).reverse()) {
      try {
        await action();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}

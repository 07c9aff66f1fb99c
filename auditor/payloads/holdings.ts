import type { Payload } from './payload.ts';

/** The payloads that one task has in hand, given back together when it ends, however it ends. */
export class Holdings {
  private readonly payloads = new Set<Payload>();

  hold<Held extends Payload>(payload: Held): Held {
    this.payloads.add(payload);
    return payload;
  }

  /** They stay with somebody else from now on. */
  pass(payloads: Iterable<Payload>): void {
    for (const payload of payloads) this.payloads.delete(payload);
  }

  async release(): Promise<void> {
    for (const payload of this.payloads) await payload.release();
    this.payloads.clear();
  }
}

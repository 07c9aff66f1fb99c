/** Payloads from a list of gateways, asked in order until one has the right bytes. */
import { SourceFailure, SourceStall, UnusableContent } from './assembleFile.ts';
import { fetchPayload } from './fetchPayload.ts';
import type { PayloadOutcome, PayloadReader, PayloadRequest } from './payloadReader.ts';
import type { Spools } from './spool.ts';

export interface GatewayReaderOptions {
  /** Base URLs, best first. */
  readonly gateways: readonly string[];
  /** Where payloads are kept. */
  readonly spools: Spools;
  /** Base URL that an account announced on-chain: asked first for what the account owes. */
  readonly ownGateway?: ReadonlyMap<string, string>;
  /** Longest silence of a gateway. Default 10,000. */
  readonly idleMilliseconds?: number | undefined;
  /** Downloads at a time. Default 8. */
  readonly parallel?: number | undefined;
}

export function gatewayReader(options: GatewayReaderOptions): PayloadReader {
  const { gateways, spools, ownGateway = new Map(), idleMilliseconds = 10_000, parallel = 8 } = options;
  const slots = new Slots(parallel);
  const silent = new Map<string, number>(); // gateways that cost time: asked last from then on

  const sourcesFor = (request: PayloadRequest): string[] => {
    const own = request.owner === undefined ? undefined : ownGateway.get(request.owner);
    const all = [...new Set([...(own === undefined ? [] : [own]), ...gateways])];
    return all.sort((a, b) => (silent.get(a) ?? 0) - (silent.get(b) ?? 0));
  };

  const readFrom = async (request: PayloadRequest): Promise<PayloadOutcome> => {
    const attempts: string[] = [];
    for (const gateway of sourcesFor(request)) {
      try {
        const payload = await fetchPayload(gateway, request, { idleMilliseconds }, spools);
        return { status: 'found', payload, source: gateway };
      } catch (error) {
        if (error instanceof UnusableContent) return { status: 'invalid', attempts: [`${gateway}: ${error.message}`] };
        if (!(error instanceof SourceFailure)) throw error;
        attempts.push(`${gateway} ${error.message}`);
        if (error instanceof SourceStall) silent.set(gateway, (silent.get(gateway) ?? 0) + 1);
      }
    }
    if (attempts.length === 0) attempts.push('no gateway is known: name one with --gateway');
    return { status: 'unavailable', attempts };
  };

  return { name: gateways.join(', '), read: (request) => slots.run(() => readFrom(request)) };
}

/** At most `free` tasks at a time; the others wait in order. */
class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(free: number) {
    this.free = free;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}

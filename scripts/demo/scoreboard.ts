/** What the nodes reported, round by round: everything the summary and the facts are made from. */
import type { AggregatorEvent } from '../../aggregator/events.ts';
import type { ParticipantEvent } from '../../client/node/events.ts';
import type { NodeLine } from './nodeProcess.ts';

type Published = Extract<AggregatorEvent, { type: 'published' }>;
/** Events as they come out of JSON: bigints are decimal text. */
type FromJson<Event> = Event extends unknown
  ? { [Key in keyof Event]: Event[Key] extends bigint ? string : Event[Key] }
  : never;

export interface RoundProgress {
  trained: number;
  committed: number;
  revealed: number;
  /** Longest local training of a participant, in seconds. */
  trainSeconds: number;
  published: FromJson<Published> | null;
  excluded: number;
}

export interface GasTotal {
  count: number;
  total: number;
  least: number;
  most: number;
}

export class Scoreboard {
  readonly rounds = new Map<number, RoundProgress>();
  readonly gas = new Map<string, GasTotal>();
  registered = 0;
  /** Coordinates that did not fit int16, over all updates. */
  saturated = 0;
  finalRound = 0;
  /** The round published last. */
  newest = 0;
  /** Rounds whose publication nobody has told yet. */
  readonly fresh = new Set<number>();
  private readonly onChange: (round: number) => void;

  constructor(onChange: (round: number) => void) {
    this.onChange = onChange;
  }

  participantLine(line: NodeLine): void {
    const event = line as unknown as FromJson<ParticipantEvent>;
    switch (event.type) {
      case 'registered':
        this.registered++;
        this.addGas('register', event.gasUsed);
        this.onChange(0);
        return;
      case 'trained': {
        const round = this.round(event.round);
        round.trained++;
        this.saturated += event.saturated;
        round.trainSeconds = Math.max(round.trainSeconds, event.seconds);
        this.onChange(event.round);
        return;
      }
      case 'committed':
      case 'revealed':
        this.round(event.round)[event.type]++;
        this.addGas(event.type === 'committed' ? 'commit' : 'reveal', event.gasUsed);
        this.onChange(event.round);
        return;
    }
  }

  aggregatorLine(line: NodeLine): void {
    const event = line as unknown as FromJson<AggregatorEvent>;
    switch (event.type) {
      case 'registered':
        this.addGas('register aggregator', event.gasUsed);
        return;
      case 'collected':
        this.round(event.round).excluded = event.excluded.length;
        return;
      case 'published':
        this.round(event.round).published = event;
        this.fresh.add(event.round);
        this.newest = event.round;
        // Published again: what was built on the first publication is void, and counted anew.
        for (const later of this.rounds.keys()) if (later > event.round) this.rounds.delete(later);
        this.addGas('publish', event.gasUsed);
        this.onChange(event.round);
        return;
      case 'finalized':
        this.finalRound = Math.max(this.finalRound, event.round);
        this.addGas('finalize', event.gasUsed);
        this.onChange(event.round);
        return;
    }
  }

  addGas(action: string, gas: string | bigint | null): void {
    if (gas === null) return;
    const used = Number(gas);
    const sum = this.gas.get(action) ?? { count: 0, total: 0, least: used, most: used };
    this.gas.set(action, {
      count: sum.count + 1,
      total: sum.total + used,
      least: Math.min(sum.least, used),
      most: Math.max(sum.most, used),
    });
  }

  round(number: number): RoundProgress {
    let round = this.rounds.get(number);
    if (round === undefined) {
      round = { trained: 0, committed: 0, revealed: 0, trainSeconds: 0, published: null, excluded: 0 };
      this.rounds.set(number, round);
    }
    return round;
  }

  /** Rounds with a published model, in order. */
  publishedRounds(): {
    readonly number: number;
    readonly progress: RoundProgress;
    readonly published: FromJson<Published>;
  }[] {
    return [...this.rounds]
      .sort(([a], [b]) => a - b)
      .flatMap(([number, progress]) =>
        progress.published === null ? [] : [{ number, progress, published: progress.published }],
      );
  }
}

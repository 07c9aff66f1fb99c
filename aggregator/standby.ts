/**
 * An aggregator that joined too late for the rotation of the round under way. When everybody who stands in that has missed
 * a turn, the contract calls whoever is ready for a later round, as soon as somebody tells it that the turn is over.
 */
import type { RoundView } from '../chain/convert.ts';
import type { AggregatorContext } from './context.ts';

export class Standby {
  private readonly context: AggregatorContext;
  private seenOpening = 0;
  private seenTurn = 0;

  constructor(context: AggregatorContext) {
    this.context = context;
  }

  /** Looks at a round in Aggregate that somebody else leads. */
  async attend({ number, opening, turn }: RoundView): Promise<void> {
    const passed = opening === this.seenOpening && turn > this.seenTurn;
    this.seenOpening = opening;
    this.seenTurn = turn;
    if (!passed) return;
    const { federation, signer } = this.context;
    const own = await federation.aggregator(signer.account.address);
    if (own !== null && own.activeFromRound > number) await federation.advance(signer, number);
  }
}

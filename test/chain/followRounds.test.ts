import { expect } from 'chai';
import type { RoundView } from '../../chain/convert.ts';
import type { Federation } from '../../chain/federation.ts';
import { followRounds } from '../../chain/followRounds.ts';

describe('chain: the rounds as a node sees them', () => {
  it('one that is voided between the two questions is not shown: the round that came back is', async () => {
    const currents = [0, 1, 2, 1];
    const rounds = [
      { number: 1, opening: 1, phase: 'challenge' },
      { number: 2, opening: 0, phase: 'none' },
      { number: 1, opening: 1, phase: 'aggregate' },
    ] as RoundView[];
    const federation = {
      currentRound: async () => currents.shift(),
      round: async (number: number) => {
        expect(rounds[0]!.number).to.equal(number);
        return rounds.shift();
      },
    } as unknown as Federation;
    const controller = new AbortController();
    const seen = [];
    for await (const view of followRounds(federation, { signal: controller.signal, pollMs: 1 })) {
      seen.push(view === null ? null : [view.number, view.phase]);
      if (view?.phase === 'aggregate') controller.abort();
    }
    expect(seen).to.deep.equal([null, [1, 'challenge'], [1, 'aggregate']]);
  });
});

import { expect } from 'chai';
import type { FederationEvent } from '../../chain/events.ts';
import { standing } from '../../chain/publications.ts';

const word = (digit: string) => `0x${digit.repeat(64)}` as const;

/** Histories told as text: `p2a` publishes model a for round 2, `v2` voids round 2; one block each. */
function history(...steps: string[]) {
  const published: unknown[] = [];
  const voided: unknown[] = [];
  steps.forEach((step, block) => {
    const args = { round: BigInt(step[1]!), aggregator: word('9'), modelRoot: word(step[2] ?? '0') };
    const cids = { modelCid: '0x01', evidenceCid: '0x02' };
    (step[0] === 'p' ? published : voided).push({
      args: { ...args, ...cids },
      blockNumber: BigInt(block),
      logIndex: 0,
    });
  });
  return standing(published as FederationEvent<'RoundPublished'>[], voided as FederationEvent<'RoundVoided'>[]).map(
    ({ round, publication }) => `${round}${publication.modelRoot[2]}`,
  );
}

describe('chain: publications that stand', () => {
  it('all, while none is voided', () => {
    expect(history('p1a', 'p2b', 'p3c')).to.deep.equal(['1a', '2b', '3c']);
  });

  it('a voided one is gone with everything built on it, and not what was before', () => {
    expect(history('p1a', 'p2b', 'p3c', 'v2')).to.deep.equal(['1a']);
  });

  it('what is published afterwards stands, the same model under another CID included', () => {
    expect(history('p1a', 'p2b', 'p3c', 'v2', 'p2b', 'p3d')).to.deep.equal(['1a', '2b', '3d']);
    expect(history('p1a', 'v1', 'p1b', 'v1', 'p1c')).to.deep.equal(['1c']);
  });
});

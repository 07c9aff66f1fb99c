import { expect } from 'chai';
import { type Simulation, simulate } from '../../bench/simulate.ts';
import { parseAttack } from '../../client/attacks/registry.ts';
import { clouds, smallManifest } from './support/smallFederation.ts';

const common: Omit<Simulation, 'rule' | 'attack' | 'maxUpdateNorm'> = {
  manifest: smallManifest(),
  data: { train: clouds(600, 'federation'), test: clouds(300, 'held out') },
  rounds: 5,
  clients: 10,
  byzantine: 2,
  alpha: 1,
  seed: 4,
};
const accuracies = async (more: Pick<Simulation, 'rule' | 'attack' | 'maxUpdateNorm'>) =>
  (await simulate({ ...common, ...more })).map(({ accuracy }) => accuracy);

describe('client learning, a federation in one process', () => {
  it('learns without attackers, the same numbers every time', async () => {
    const run = () => accuracies({ rule: 'fedavg', attack: null, maxUpdateNorm: 1 });
    const first = await run();
    expect(first.at(-1)).to.be.above(0.93);
    expect(await run()).to.deep.equal(first);
  });

  it('survives two attackers with NNM and trimmed mean where plain averaging is ruined', async () => {
    const attack = parseAttack('signFlipping');
    const robust = await accuracies({ rule: 'nnm+trimmed-mean', attack, maxUpdateNorm: null });
    const plain = await accuracies({ rule: 'fedavg', attack, maxUpdateNorm: null });
    expect(robust.at(-1)).to.be.above(0.9);
    expect(plain.at(-1)).to.be.below(robust.at(-1)! - 0.3);
  });

  it('the norm bound alone already defends plain averaging', async () => {
    const attack = parseAttack('signFlipping');
    const bounded = await accuracies({ rule: 'fedavg', attack, maxUpdateNorm: 0.5 });
    const unbounded = await accuracies({ rule: 'fedavg', attack, maxUpdateNorm: null });
    expect(bounded.at(-1)).to.be.above(unbounded.at(-1)! + 0.3);
  });
});

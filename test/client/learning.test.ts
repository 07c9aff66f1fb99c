import { expect } from 'chai';
import type { Cell } from '../../client/simulation/cell.ts';
import { cellsOf, checkGrid } from '../../client/simulation/grid.ts';
import { simulateCell } from '../../client/simulation/simulateCell.ts';
import { clouds } from './support/smallFederation.ts';

const data = { train: clouds(600, 'federation'), test: clouds(300, 'held out') };
const cellOf = (more: Record<string, unknown>): Cell =>
  cellsOf(
    checkGrid(
      {
        format: 'assay-grid/1',
        name: 'clouds',
        hidden: [8],
        participants: 10,
        byzantine: 2,
        view: 'lone',
        rounds: 5,
        training: { localEpochs: 3, batchSize: 16, learningRate: 0.1, momentum: 0.5 },
        rules: ['fedavg'],
        attacks: ['none'],
        alphas: [1],
        seeds: [4],
        ...more,
      },
      'test',
    ),
  )[0]!;
const accuracies = async (more: Record<string, unknown>) =>
  (await simulateCell(cellOf(more), data)).accuracy.map(({ accuracy }) => accuracy);

describe('client learning, a federation in one process', function () {
  this.timeout(60_000);

  it('learns without attackers, the same numbers every time', async () => {
    const run = () => accuracies({ normBound: 1 });
    const first = await run();
    expect(first.at(-1)).to.be.above(0.93);
    expect(await run()).to.deep.equal(first);
  });

  it('survives two attackers with NNM and trimmed mean where plain averaging is ruined', async () => {
    const robust = await accuracies({ rules: ['nnm+trimmed-mean'], attacks: ['signFlipping'] });
    const plain = await accuracies({ attacks: ['signFlipping'] });
    expect(robust.at(-1)).to.be.above(0.9);
    expect(plain.at(-1)).to.be.below(robust.at(-1)! - 0.25);
  });

  it('the norm bound alone already defends plain averaging', async () => {
    const bounded = await accuracies({ attacks: ['signFlipping'], normBound: 0.5 });
    const unbounded = await accuracies({ attacks: ['signFlipping'] });
    expect(bounded.at(-1)).to.be.above(unbounded.at(-1)! + 0.2);
  });
});

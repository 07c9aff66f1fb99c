import { expect } from 'chai';
import { mnistCnn } from '../../../client/models/presets.ts';
import { cellKey, ruleLabel } from '../../../client/simulation/cell.ts';
import { cellManifest } from '../../../client/simulation/cellParameters.ts';
import { cellsOf, checkGrid, parseGrid } from '../../../client/simulation/grid.ts';
import { expectError } from '../support/expectError.ts';
import { smallCell, smallGrid } from './support.ts';

describe('client simulation: the grid', () => {
  it('is every rule, attack, heterogeneity and seed, each cell with all it needs', () => {
    const grid = smallGrid({
      rules: ['fedavg', { name: 'multi-krum', selected: 3 }],
      attacks: ['none', 'sign-flipping'],
      alphas: [1, 'iid'],
      seeds: [1, 'two'],
    });
    const cells = cellsOf(grid);
    expect(cells).to.have.length(16);
    expect(new Set(cells.map(cellKey)).size).to.equal(16);
    expect(cells.at(-1)).to.deep.include({ alpha: 'iid', attack: 'signFlipping', seed: 'two' });
    expect(ruleLabel(cells.at(-1)!)).to.equal('multi-krum (selected 3)');
    expect(cells[0]).to.include({ attack: null, rounds: 3, evaluateEvery: 1, normBound: null });
  });

  it('a cell is found by its settings, whatever else the grid holds, and by nothing less', () => {
    const key = cellKey(smallCell());
    expect(key, 'what finished cells in journals are known by').to.equal('9f52c16692c1acac79e513cbb8a5140d');
    expect(cellKey(cellsOf(smallGrid({ rules: ['fedavg', 'nnm+trimmed-mean'], name: 'other' }))[1]!)).to.equal(key);
    expect(cellKey(smallCell({ seeds: ['1'] })), 'as on the command line').to.equal(key);
    for (const change of [{ rounds: 4 }, { seeds: [2] }, { normBound: 1 }, { view: 'lone' }, { attacks: ['mimic'] }]) {
      expect(cellKey(smallCell(change)), JSON.stringify(change)).to.not.equal(key);
    }
  });

  it('has algorithms as an axis; a cell without one is known as before there were any', () => {
    const grid = smallGrid({
      hidden: [4],
      training: { localSteps: 2, batchSize: 8, learningRate: 0.2 },
      heldOutPerParticipant: 0.2,
      algorithms: ['fedavg', 'scaffold', { kind: 'fedprox', proximal: 0.1 }, 'fedper'],
    });
    const cells = cellsOf(grid);
    expect(new Set(cells.map(cellKey)).size).to.equal(4);
    expect(cells.map(ruleLabel)).to.deep.equal([
      'nnm+trimmed-mean / fedavg',
      'nnm+trimmed-mean / scaffold',
      'nnm+trimmed-mean / fedprox (proximal 0.1)',
      'nnm+trimmed-mean / fedper',
    ]);
    expect(smallCell()).to.not.have.any.keys('algorithm', 'model', 'personalisation', 'heldOutPerParticipant');
    // Written out, the same grid again: what the options of the command replace is checked once more.
    expect(checkGrid(grid, 'again')).to.deep.equal(grid);
  });

  it('the manifest of a cell is what its model, training and algorithm say', () => {
    const data = { features: 784, classes: 10 };
    const cnn = cellManifest(smallCell({ model: 'mnist-cnn' }), data);
    expect(cnn).to.deep.include({ task: 'classification', model: mnistCnn().manifest.model });
    const adam = { localEpochs: 1, batchSize: 8, learningRate: 0.01, optimizer: 'adam', maxGradientNorm: 1 };
    expect(cellManifest(smallCell({ training: adam }), data).training).to.deep.equal(adam);
    const change = { hidden: [4], algorithms: ['fedper'], heldOutPerParticipant: 0.2 };
    const fedper = cellManifest(smallCell(change), data);
    expect(fedper.training.personal).to.deep.equal({ kind: 'fedper' });
    expect(fedper.tensors.map(({ name }) => name)).to.deep.equal(['hidden1/bias', 'hidden1/kernel']);
  });

  it('says what is wrong and where, before anything runs', async () => {
    const wrong = (change: Record<string, unknown>, code: string, text: RegExp) =>
      expectError(() => smallGrid(change), code, text);
    await wrong({ rulez: ['fedavg'] }, 'GRID', /wrong at its top level[\s\S]*rulez/);
    await wrong(
      { training: { localEpochs: 1, localSteps: 1, batchSize: 8, learningRate: 1 } },
      'GRID',
      /one of the two/,
    );
    await wrong({ alphas: [0] }, 'GRID', /wrong at alphas\.0/);
    await wrong({ alphas: [Number.NaN] }, 'GRID', /alphas\.0/);
    await wrong({ rules: ['sum'] }, 'RULE_NAME', /Received: sum/);
    await wrong({ attacks: ['gossip'] }, 'ATTACK_UNKNOWN', /gossip/);
    await wrong({ dataset: 'cifar' }, 'DATASET_SPEC', /cifar/);
    await wrong({ view: 'lone', attacks: ['none', 'mimic'] }, 'GRID', /mimic needs updates[\s\S]*omniscient/);
    await wrong({ byzantine: 7 }, 'GRID', /nobody would be honest/);
    await wrong({ byzantine: 0, attacks: ['mimic'] }, 'GRID', /nobody is there to attack with mimic/);
    await wrong({ byzantine: 4 }, 'GRID', /Expected: 9 to 100[\s\S]*Received: 7/);
    await wrong({ participants: 300 }, 'GRID', /perRound[\s\S]*Received: 300/);
    await wrong({ perRound: 8 }, 'GRID', /more take part/);
    await wrong({ server: { optimizer: 'fedAdam', learningRate: 1 } }, 'SERVER_STEP', /adaptivity/);
    await wrong(
      { rules: [{ name: 'fltrust', reference: 7 }] },
      'GRID',
      /Expected: reference from 0 to 6\n.*Received: 7/,
    );
    await wrong({ rounds: '3' }, 'GRID', /Expected: number\n.*Received: "3"/);
    await wrong({ rounds: undefined }, 'GRID', /Expected: number\n.*Received: nothing/);
    await wrong({ alphas: [Number.NaN] }, 'GRID', /Received: NaN/);
    const epochs = { localEpochs: 1, batchSize: 8, learningRate: 1 };
    await wrong({ algorithms: ['scaffold'], training: epochs }, 'MANIFEST', /scaffold needs localSteps/);
    const moments = { optimizer: 'fedAvgM', momentum: 0.5 };
    await wrong({ algorithms: ['scaffold'], server: moments }, 'ALGORITHM_SERVER', /fedAvgM/);
    await wrong({ algorithms: [{ kind: 'fedprox' }] }, 'GRID', /algorithms\.0/);
    await wrong({ training: { ...epochs, deviceSteps: [3] } }, 'LOCAL_STEPS', /3 local steps under fedavg/);
    await wrong({ personalisation: ['ditto'] }, 'GRID', /heldOutPerParticipant/);
    await wrong({ algorithms: ['fedper'] }, 'GRID', /nothing would be trained jointly/);
    await wrong({ model: { kind: 'magic' } }, 'MODEL_UNKNOWN', /magic/);
    await wrong({ model: 'resnet' }, 'GRID', /wrong at model/);
    await expectError(() => parseGrid('{', 'grid.json'), 'GRID', /grid\.json is not JSON/);
    await expectError(() => parseGrid('[]', 'grid.json'), 'GRID', /grid\.json is wrong/);
  });
});

/** Tables and plots of results, by what the task is measured by. */
import { expect } from 'chai';
import { cellsOf, type Grid } from '../../../client/simulation/grid.ts';
import type { FinishedCell } from '../../../client/simulation/journal.ts';
import { csv } from '../../../scripts/simulate/csv.ts';
import { plotPage } from '../../../scripts/simulate/plot.ts';
import { scaleOf } from '../../../scripts/simulate/plotScale.ts';
import { resultFacts } from '../../../scripts/simulate/simulateFacts.ts';
import { markdown, measureRows, ownRows, tabulate } from '../../../scripts/simulate/tables.ts';
import { smallGrid } from '../../client/simulation/support.ts';

const AXES = {
  rules: ['fedavg', 'median'],
  attacks: ['none', 'signFlipping', 'minMax'],
  alphas: ['iid'],
  seeds: [1, 2],
};
const TEXT = {
  dataset: 'package:zod:ts,mocha:js',
  model: { kind: 'lstm', context: 8, embedding: 4, hidden: 4, layers: 1 },
};

/** Results as a run might have them: the last loss of each cell, in the grid's order. */
function finish(grid: Grid, losses: readonly number[]): FinishedCell[] {
  return cellsOf(grid).map((cell, i) => {
    const loss = losses[i % losses.length]!;
    const accuracy = [
      { round: 1, accuracy: 0.1, loss: Math.log(400) },
      { round: 3, accuracy: 0.01 * (i + 1), loss },
    ];
    const result = {
      accuracy,
      finalAccuracy: accuracy[1]!.accuracy,
      bestAccuracy: 0.1,
      backdoorSuccess: null,
      leftOut: [0, 0.5],
      share: [1, 0.5],
      attackerShare: null,
      refused: 0,
      abandoned: 0,
      modelRoot: '0x00',
      participants: [
        { index: 0, samples: 4, heldOut: 2, shared: 30, personal: {} },
        { index: 1, samples: 4, heldOut: 2, shared: Number.isFinite(loss) ? 10 : null, personal: {} },
      ],
    };
    return { key: String(i), cell, result, seconds: 1 };
  });
}

describe('assay simulate: tables', () => {
  const ln = Math.log;
  const ruined = null as unknown as number; // NaN, from a journal
  const text = finish(smallGrid({ ...AXES, ...TEXT }), [ln(10), ln(30), ln(40), ln(60), ln(30), ln(30)]);
  const lost = finish(smallGrid({ ...AXES, ...TEXT }), [ln(10), ln(30), ruined, ln(60), ln(30), ln(30)]);

  it('of text show perplexity: the mean over seeds, and the largest as the worst', () => {
    const [table] = tabulate(text);
    expect(measureRows(table!)).to.deep.equal([
      ['rule', 'none', 'sign flip', 'Min-Max', 'worst'],
      ['fedavg', '20.00', '50.00', '30.00', '50.00'],
      ['median', '20.00', '50.00', '30.00', '50.00'],
    ]);
    expect(ownRows(table!)[0]).to.deep.equal(['rule', 'attack', 'shared: mean (highest)']);
    expect(ownRows(table!)[1]).to.deep.equal(['fedavg', 'none', '20.00 (30.00)']);
    expect(markdown([table!])).to.match(
      /^Perplexity \(per token; lower is better\) of the last model on held-out files/m,
    );
    expect(csv(text).split('\n')[0]).to.match(/modelRoot,finalPerplexity$/);
    expect(Number(csv(text).split('\n')[1]!.split(',').at(-1))).to.be.closeTo(10, 1e-9);
    expect(resultFacts([table!])[1]).to.deep.include({ attack: 'signFlipping', measure: 'perplexity' });
    expect(resultFacts([table!])[1]!.value).to.be.closeTo(50, 1e-9);
  });

  it('a ruined model is the worst of all, in tables, facts and plots', () => {
    const [table] = tabulate(lost);
    expect(measureRows(table!)[1]).to.deep.equal(['fedavg', '20.00', 'inf', '30.00', 'inf']);
    expect(ownRows(table!)[2]).to.deep.equal(['fedavg', 'sign flip', 'inf (inf)']);
    const [, facts] = resultFacts([table!]);
    expect([facts!.value, facts!.own.shared]).to.deep.equal([null, null]);
    const page = plotPage('text', [table!]);
    expect(page).to.match(/Perplexity \(per token; lower is better\) of the last model on held-out files/);
    expect(page).to.not.match(/NaN|Infinity/);
  });

  it('a plot puts perplexities by their logarithms, good ones in green', () => {
    const scale = scaleOf(tabulate(text)[0]!);
    expect([20, 400].map(scale.height)).to.deep.equal([0, 1]);
    expect(scale.height(Math.sqrt(20 * 400))).to.be.closeTo(0.5, 1e-12);
    expect(scale.tick(1)).to.equal('400');
    expect(scale.goodness('20.00')).to.equal(1);
    expect(scale.goodness('inf')).to.equal(0);
    expect(scale.goodness('-')).to.be.NaN;
  });

  it('of image generators show the bound, of classifiers accuracy as ever', () => {
    const images = finish(
      smallGrid({ ...AXES, model: 'digits-vae', attacks: ['none', 'minMax'] }),
      [120, 130, 200, 220],
    );
    expect(measureRows(tabulate(images)[0]!)[1]).to.deep.equal(['fedavg', '-125.0', '-210.0', '-210.0']);
    expect(csv(images).split('\n')[0]).to.match(/modelRoot,finalELBO$/);
    const classes = finish(smallGrid(AXES), [1]);
    const [table] = tabulate(classes);
    expect(measureRows(table!)[1]).to.deep.equal(['fedavg', '.015', '.035', '.055', '.035']);
    expect(csv(classes).split('\n')[0]).to.match(/modelRoot$/);
    expect(plotPage('classes', [table!])).to.match(
      /<p>Accuracy of the last model on held-out samples, mean over seeds; below it accuracy by round/,
    );
    expect(scaleOf(table!).tick(1)).to.equal('1.0');
  });
});

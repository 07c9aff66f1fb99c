import { expect } from 'chai';
import { measureOf, worse } from '../../../client/training/measure.ts';

describe('the measure of a task', () => {
  it('is accuracy, perplexity or the evidence lower bound, each with its direction', () => {
    const evaluation = { accuracy: 0.25, loss: Math.log(8) };
    const of = (task: Parameters<typeof measureOf>[0]) => measureOf(task).format(measureOf(task).of(evaluation));
    expect([of('classification'), of('language-model'), of('image-generation')]).to.deep.equal([
      '0.2500',
      '8.00',
      '-2.1',
    ]);
    expect(worse(measureOf('classification'), 0.2, 0.9)).to.equal(0.2);
    expect(worse(measureOf('language-model'), 20, 90)).to.equal(90);
    expect(worse(measureOf('image-generation'), -300, -100)).to.equal(-300);
  });

  it('a loss that is no number, or that JSON could not hold, is the worst there is', () => {
    const lost = [Number.NaN, Number.POSITIVE_INFINITY, null as unknown as number];
    for (const loss of lost) {
      const evaluation = { accuracy: 0, loss };
      expect(measureOf('language-model').of(evaluation)).to.equal(Number.POSITIVE_INFINITY);
      expect(measureOf('image-generation').of(evaluation)).to.equal(Number.NEGATIVE_INFINITY);
    }
    expect(measureOf('language-model').format(Number.POSITIVE_INFINITY)).to.equal('inf');
    expect(measureOf('image-generation').format(Number.NEGATIVE_INFINITY)).to.equal('-inf');
    expect(measureOf('language-model').format(123_456_789)).to.equal('1.2e+8');
  });
});

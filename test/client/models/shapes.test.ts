import { expect } from 'chai';
import { describeModel } from '../../../client/models/registry.ts';
import { compareBytewise } from '../../../protocol/encoding/manifest.ts';
import { expectError } from '../support/expectError.ts';
import { initialWeights } from '../support/toyTraining.ts';

const lenet = {
  kind: 'cnn',
  image: [28, 28, 1],
  classes: 10,
  stages: [
    { kind: 'conv', size: 5, filters: 6, strides: 1, padding: 'same', activation: 'relu' },
    { kind: 'maxPool', size: 2, strides: 2 },
    { kind: 'conv', size: 5, filters: 16, strides: 1, padding: 'valid', activation: 'relu' },
    { kind: 'maxPool', size: 2, strides: 2 },
    { kind: 'dense', units: 120, activation: 'relu' },
    { kind: 'dense', units: 84, activation: 'relu' },
  ],
};
const lstm = { kind: 'lstm', vocabulary: 96, context: 64, embedding: 64, hidden: 128, layers: 1 };
const transformer = {
  kind: 'transformer',
  vocabulary: 96,
  context: 64,
  width: 64,
  layers: 2,
  heads: 4,
  feedForward: 256,
};
const vae = { kind: 'vae', inputs: 784, classes: 10, hidden: [256], latent: 16 };

describe('client models: tensors', () => {
  it('counts the parameters that the papers count', () => {
    const conv = (filters: number) => ({ ...lenet.stages[0], filters });
    const pool = lenet.stages[1];
    const fedAvg = {
      ...lenet,
      stages: [conv(32), pool, conv(64), pool, { kind: 'dense', units: 512, activation: 'relu' }],
    };
    // McMahan et al. 2017, section 3: "1,663,370 total parameters".
    expect(describeModel(fedAvg).dimension).to.equal(1_663_370);
    // LeNet-5 with full connections: 156 + 2416 + 48120 + 10164 + 850.
    expect(describeModel(lenet).dimension).to.equal(61_706);
    expect(describeModel(lstm).dimension).to.equal(96 * 64 + 4 * 128 * (64 + 128 + 1) + 128 * 96 + 96);
    const block = 4 * 64 + 64 * 192 + 192 + 64 * 64 + 64 + 64 * 256 + 256 + 256 * 64 + 64;
    expect(describeModel(transformer).dimension).to.equal(96 * 64 + 64 * 64 + 2 * block + 2 * 64);
    const encoder = 794 * 256 + 256 + 2 * (256 * 16 + 16);
    expect(describeModel(vae).dimension).to.equal(encoder + 26 * 256 + 256 + 256 * 784 + 784);
  });

  for (const spec of [lenet, lstm, { ...lstm, layers: 12 }, transformer, { ...transformer, layers: 11 }, vae]) {
    const model = describeModel(spec);
    it(`lists the tensors of ${JSON.stringify(spec).slice(0, 60)}... in order, with a head among them`, () => {
      const names = model.tensors.map(({ name }) => name);
      expect(names).to.deep.equal(names.toSorted(compareBytewise));
      expect(new Set(names).size).to.equal(names.length);
      expect(names).to.include.members([...model.head]);
      expect(model.head.length).to.be.within(1, names.length - 1);
      expect(model.frozen).to.equal(undefined);
    });

    it('starts from the seed: the same twice, other for another', () => {
      expect(initialWeights(model, 'a')).to.deep.equal(initialWeights(model, 'a'));
      expect(initialWeights(model, 'a')).not.to.deep.equal(initialWeights(model, 'b'));
    });
  }

  it('starts matrices with the spread their paper asks for', () => {
    const { tensors, initialise } = describeModel(transformer);
    const deviation = (name: string) => {
      const tensor = tensors.find((each) => each.name === name)!;
      const values = new Float32Array(tensor.shape.reduce((product, side) => product * side, 1));
      let state = 0;
      const nextFloat = () => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return state / 2 ** 31;
      };
      initialise(tensor, values, { nextFloat } as never);
      return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    };
    expect(deviation('block1/attention/kernel')).to.be.closeTo(1 / 8, 0.004);
    expect(deviation('block2/contract/kernel')).to.be.closeTo(1 / 16 / 2, 0.002);
    expect(deviation('embedding/table')).to.be.closeTo(0.1, 0.005);
    expect(deviation('block1/norm1/gain')).to.equal(1);
    expect(deviation('block1/norm1/offset')).to.equal(0);
  });

  it('opens the forget gates of an LSTM at the start, and no other', () => {
    const model = describeModel({ ...lstm, hidden: 2 });
    const bias = model.tensors.find(({ name }) => name === 'lstm1/bias')!;
    const values = new Float32Array(8);
    model.initialise(bias, values, undefined as never);
    expect([...values]).to.deep.equal([0, 0, 1, 1, 0, 0, 0, 0]);
  });

  it('refuses stages that do not fit together, and heads that do not divide the width', async () => {
    const stages = (...added: unknown[]) => ({ ...lenet, stages: [...lenet.stages, ...added] });
    await expectError(() => describeModel(stages(lenet.stages[1])), 'MODEL_SETTINGS', /stage 7.*\n.*dense stages come/);
    const wide = { ...lenet, stages: [{ kind: 'avgPool', size: 29, strides: 1 }] };
    await expectError(() => describeModel(wide), 'MODEL_SETTINGS', /stage 1.*\n.*within the 28 x 28 x 1/);
    await expectError(() => describeModel(stages({ kind: 'dropout' })), 'MODEL_SETTINGS', /stages\.6/);
    await expectError(() => describeModel({ ...transformer, heads: 5 }), 'MODEL_SETTINGS', /divisor of the width/);
  });
});

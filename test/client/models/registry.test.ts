import { expect } from 'chai';
import { mnistMlp } from '../../../client/models/presets.ts';
import { describeModel } from '../../../client/models/registry.ts';
import {
  checkManifest,
  encodeManifest,
  manifestDimension,
  parseManifest,
} from '../../../protocol/encoding/manifest.ts';
import { expectError } from '../support/expectError.ts';

const spec = { kind: 'mlp', inputs: 784, hidden: [64], classes: 10, activation: 'relu' };

describe('client models', () => {
  it('describes an MLP: tensors in coordinate order and their number', () => {
    const model = describeModel(spec);
    expect(model.tensors).to.deep.equal([
      { name: 'hidden1/bias', shape: [64] },
      { name: 'hidden1/kernel', shape: [784, 64] },
      { name: 'output/bias', shape: [10] },
      { name: 'output/kernel', shape: [64, 10] },
    ]);
    expect(model.dimension).to.equal(50_890);
    expect(describeModel({ ...spec, hidden: [] }).dimension).to.equal(7850);
  });

  it('sorts bytewise, not by layer: hidden10 comes before hidden2', () => {
    const { tensors } = describeModel({ ...spec, hidden: new Array(10).fill(4) });
    expect(tensors.slice(0, 4).map(({ name }) => name)).to.deep.equal([
      'hidden1/bias',
      'hidden1/kernel',
      'hidden10/bias',
      'hidden10/kernel',
    ]);
  });

  it('refuses unknown kinds, also names every object has', async () => {
    await expectError(() => describeModel({ kind: 'gan' }), 'MODEL_UNKNOWN', /Expected: mlp, cnn.*\n.*"gan"/);
    await expectError(() => describeModel({ kind: 'toString' }), 'MODEL_UNKNOWN');
  });

  it('refuses settings that are missing, wrong or unknown and names them', async () => {
    await expectError(() => describeModel({ ...spec, hidden: [0] }), 'MODEL_SETTINGS', /hidden\.0/);
    await expectError(() => describeModel({ ...spec, activation: 'gelu' }), 'MODEL_SETTINGS', /activation/);
    await expectError(() => describeModel({ ...spec, dropout: 0.5 }), 'MODEL_SETTINGS', /dropout/);
    await expectError(() => describeModel({ kind: 'mlp' }), 'MODEL_SETTINGS', /inputs/);
  });

  it('the preset is a whole manifest and survives its encoding', () => {
    const { manifest } = mnistMlp('hospitals');
    expect(checkManifest(manifest)).to.deep.equal(manifest);
    expect(parseManifest(encodeManifest(manifest))).to.deep.equal(manifest);
    expect(manifestDimension(manifest)).to.equal(50_890);
  });
});

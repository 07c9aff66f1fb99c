import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { encodeSafetensors } from '../../../client/export/safetensors.ts';
import { baseOf, readBase, wholeModel } from '../../../client/models/frozenBase.ts';
import { mergeAdapters } from '../../../client/models/lora.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { expectError } from '../support/expectError.ts';
import { initialWeights } from '../support/toyTraining.ts';

const model = { kind: 'mlp', inputs: 3, hidden: [4], classes: 2, activation: 'relu' } as const;
const { tensors } = describeModel(model);
const weights = initialWeights(describeModel(model), 'base');
const file = encodeSafetensors({ tensors, weights, metadata: {} });

function specFor(bytes: Uint8Array) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { kind: 'lora', base: { cid: 'bafkreie', sha256, model }, rank: 1, alpha: 2, targets: ['output/*'] } as const;
}

describe('client models: the base of adapters', () => {
  it('is the file that the manifest names, by hash and by tensors', async () => {
    const spec = specFor(file);
    expect(readBase(spec, file)).to.deep.equal(weights);
    const other = Uint8Array.from(file);
    other[other.length - 1]! ^= 1;
    await expectError(() => readBase(spec, other), 'BASE_MODEL', new RegExp(spec.base.sha256));
    const foreign = encodeSafetensors({
      tensors: [{ name: 'x', shape: [2] }],
      weights: weights.slice(0, 2),
      metadata: {},
    });
    await expectError(() => readBase(specFor(foreign), foreign), 'BASE_MODEL', /hidden1\/bias\[4\].*\n.*x\[2\]/);
    const noise = new Uint8Array(30);
    await expectError(() => readBase(specFor(noise), noise), 'SAFETENSORS');
  });

  it('makes a whole model of adapters; other models are whole already', async () => {
    const spec = specFor(file);
    expect(baseOf(spec)).to.deep.equal(spec.base);
    expect(baseOf(model)).to.equal(undefined);
    const adapters = Float32Array.of(1, 2, 3, 4, 0.5, -0.5);
    const whole = wholeModel(spec, adapters, weights);
    expect(whole.spec).to.deep.equal(model);
    expect(whole.weights).to.deep.equal(
      mergeAdapters(
        { ...spec, base: { ...spec.base }, targets: [...spec.targets] },
        describeModel(model),
        adapters,
        weights,
      ),
    );
    expect(whole.weights).not.to.deep.equal(weights);
    expect(wholeModel(model, weights)).to.deep.equal({ spec: model, weights });
    await expectError(() => wholeModel(spec, adapters), 'BASE_MODEL', /adapters alone/);
  });
});

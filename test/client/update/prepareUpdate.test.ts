import { expect } from 'chai';
import fc from 'fast-check';
import { parseAttack } from '../../../client/attacks/registry.ts';
import { checkFinite, nameCoordinate } from '../../../client/update/checkFinite.ts';
import { clipUpdate, l2Norm, maxNormOf, normSqBoundOf } from '../../../client/update/clipUpdate.ts';
import { computeUpdate } from '../../../client/update/computeUpdate.ts';
import { prepareUpdate, type UpdateTask } from '../../../client/update/prepareUpdate.ts';
import { NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { expectError } from '../support/expectError.ts';

const tensors = [
  { name: 'hidden1/bias', shape: [2] },
  { name: 'hidden1/kernel', shape: [3, 2] },
];

function task(update: readonly number[], more: Partial<UpdateTask> = {}): UpdateTask {
  const base = Float32Array.from(update, (_, i) => i / 8);
  return {
    base,
    trained: base.map((weight, i) => weight + update[i]!),
    tensors,
    error: null,
    normSqBound: NO_NORM_BOUND,
    updateFractionBits: 16,
    round: 1,
    seed: 'test',
    ...more,
  };
}

describe('client prepareUpdate', () => {
  it('sends the difference in units of 2^-16', () => {
    const { quantized, normSq } = prepareUpdate(task([0.25, -0.125, 0, 0.5 - 2 ** -16, 0, 0, 0, 2 ** -16]));
    expect([...quantized]).to.deep.equal([16384, -8192, 0, 32767, 0, 0, 0, 1]);
    expect(normSq).to.equal(16384n ** 2n + 8192n ** 2n + 32767n ** 2n + 1n);
  });

  it('keeps every update, honest or not, at or below the bound, and uses nearly all of it when clipped', () => {
    const bound = normSqBoundOf(0.5, 16);
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 8, maxLength: 8 }),
        fc.constantFrom(undefined, 'signFlipping', 'gaussian', 'innerProductManipulation', 'freeRider'),
        (update, attack) => {
          const options = { normSqBound: bound, ...(attack && { attack: parseAttack(attack) }) };
          const prepared = prepareUpdate(task(update, options));
          expect(prepared.normSq <= bound).to.equal(true);
          if (prepared.norm > 0.51) expect(Number(prepared.normSq)).to.be.above(0.99 * Number(bound));
        },
      ),
    );
  });

  it('is bit-equal for a seed and a round, other for another', () => {
    const update = Array.from({ length: 8 }, (_, i) => 0.1234567 / (i + 1));
    const run = (more: Partial<UpdateTask>) => prepareUpdate(task(update, more)).quantized.join();
    expect(run({})).to.equal(run({}));
    expect(new Set([run({}), run({ round: 2 }), run({ seed: 'other' }), run({ round: 3 })]).size).to.be.above(1);
  });

  it('refuses NaN and infinity and names the tensor and the place', async () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const trained = new Float32Array(8);
      trained[2 + 5] = bad;
      const message = new RegExp(`1 of 8 trained weights.*hidden1/kernel\\[2, 1\\](.|\n)*Received: ${bad}`);
      await expectError(() => checkFinite(trained, tensors), 'WEIGHTS_NOT_FINITE', message);
      await expectError(() => prepareUpdate({ ...task(new Array(8).fill(0)), trained }), 'WEIGHTS_NOT_FINITE');
    }
    expect(nameCoordinate(1, tensors)).to.equal('hidden1/bias[1]');
    expect(nameCoordinate(8, tensors)).to.equal('coordinate 8');
  });

  it('refuses weights of another length', async () => {
    await expectError(() => computeUpdate(new Float32Array(3), new Float32Array(4)), 'WEIGHTS_LENGTH');
  });

  it('clips to the bound in floats and leaves shorter updates alone', () => {
    const update = Float32Array.from([3, 4]);
    expect(l2Norm(clipUpdate(update, 1).update)).to.be.closeTo(1, 1e-6);
    expect(clipUpdate(update, 1)).to.include({ norm: 5, factor: 0.2 });
    expect([...clipUpdate(update, 5).update]).to.deep.equal([3, 4]);
    expect([...clipUpdate(update, null).update]).to.deep.equal([3, 4]);
  });

  it('converts bounds between floats and squared units', () => {
    expect(normSqBoundOf(3, 16)).to.equal(9n * 2n ** 32n);
    expect(maxNormOf(9n * 2n ** 32n, 16)).to.equal(3);
    expect(maxNormOf(NO_NORM_BOUND, 16)).to.equal(null);
  });
});

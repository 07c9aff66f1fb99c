import { expect } from 'chai';
import type { AttackContext } from '../../../client/attacks/attack.ts';
import { attacks, parseAttack } from '../../../client/attacks/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { l2Norm } from '../../../client/update/clipUpdate.ts';
import { expectError } from '../support/expectError.ts';
import { clouds } from '../support/smallFederation.ts';

const update = Float32Array.from([0.3, -0.4, 0]);
const context = (more: Partial<AttackContext> = {}): AttackContext => ({
  update,
  maxNorm: null,
  lastStep: null,
  random: createRandom('attack'),
  ...more,
});
const corrupt = (name: string, more: Partial<AttackContext> = {}) => parseAttack(name).corruptUpdate!(context(more));

describe('client attacks', () => {
  it('signFlipping: the negated update at the bound, tenfold without one', () => {
    [...corrupt('signFlipping', { maxNorm: 2 })].forEach((value, i) => {
      expect(value).to.be.closeTo([-1.2, 1.6, 0][i]!, 1e-6);
    });
    [...corrupt('signFlipping')].forEach((value, i) => {
      expect(value).to.be.closeTo([-3, 4, 0][i]!, 1e-5);
    });
  });

  it('gaussian: noise of the largest norm, other in every draw', () => {
    const random = createRandom('noise');
    const first = corrupt('gaussian', { maxNorm: 2, random });
    expect(l2Norm(first)).to.be.closeTo(2, 1e-5);
    expect([...corrupt('gaussian', { maxNorm: 2, random })]).not.to.deep.equal([...first]);
    expect(l2Norm(corrupt('gaussian'))).to.be.closeTo(5, 1e-5);
  });

  it('innerProductManipulation: minus twice the last published step, or its own update in the first round', () => {
    expect([...corrupt('innerProductManipulation', { lastStep: Float32Array.from([1, 2, 3]) })]).to.deep.equal([
      -2, -4, -6,
    ]);
    expect([...corrupt('innerProductManipulation')]).to.deep.equal([...update.map((value) => -2 * value)]);
  });

  it('freeRider: close to the last step and never twice the same', () => {
    const lastStep = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i));
    const random = createRandom('rider');
    const first = corrupt('freeRider', { lastStep, random });
    const distance = l2Norm(first.map((value, i) => value - lastStep[i]!)) / l2Norm(lastStep);
    expect(distance).to.be.within(0.05, 0.2);
    expect([...corrupt('freeRider', { lastStep, random })]).not.to.deep.equal([...first]);
    expect(l2Norm(corrupt('freeRider'))).to.be.within(1e-6, 1e-3);
  });

  it('labelFlipping: class c is learnt as C-1-c; the samples stay', () => {
    const data = clouds(50, 'flip');
    const flipped = parseAttack('labelFlipping').corruptDataset!(data);
    expect([...flipped.y]).to.deep.equal([...data.y].map((label) => 2 - label));
    expect(flipped.x).to.equal(data.x);
  });

  it('are found by their name in either spelling; an unknown one lists them all', async () => {
    expect(parseAttack('sign-flipping')).to.equal(parseAttack('signFlipping'));
    const error = await expectError(() => parseAttack('backdoor'), 'ATTACK_UNKNOWN', /Received: "backdoor"/);
    for (const { name } of attacks) expect(error.message).to.include(name);
  });
});

import { expect } from 'chai';
import { type AttackContext, isLone, isRefused, type OmniscientView } from '../../../client/attacks/attack.ts';
import { backdoorSamples } from '../../../client/attacks/backdoor.ts';
import { searchFactor } from '../../../client/attacks/lineSearch.ts';
import { attacks, loneAttacks, parseAttack, parseLoneAttack } from '../../../client/attacks/registry.ts';
import type { Dataset } from '../../../client/datasets/dataset.ts';
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
/** Mean (2, 1, 0), deviation (1, 1, 0). */
const HONEST = [
  [1, 0, 0],
  [2, 1, 0],
  [3, 2, 0],
].map((row) => Float32Array.from(row));
const conspire = (name: string, more: Partial<OmniscientView> = {}) => [
  ...parseAttack(name).conspire!({
    honest: HONEST,
    attackers: 2,
    maxNorm: null,
    damage: () => 0,
    notes: new Map(),
    ...more,
  }),
];
const expectClose = (vector: Iterable<number>, expected: readonly number[]) => {
  const values = [...vector];
  expect(values).to.have.length(expected.length);
  expected.forEach((value, k) => {
    expect(values[k], `coordinate ${k}`).to.be.closeTo(value, 1e-5);
  });
};
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

  it('signFlipping and innerProductManipulation, omniscient: minus one and two times the honest mean', () => {
    expectClose(conspire('signFlipping'), [-2, -1, 0]);
    expectClose(conspire('innerProductManipulation'), [-4, -2, 0]);
    expectClose(conspire('scaledSignFlipping'), [-20, -10, 0]);
    expectClose(conspire('scaledSignFlipping', { maxNorm: Math.sqrt(5) }), [-2, -1, 0]);
  });

  it('aLittleIsEnough: 1.5 deviations (ddof 1) to either side; alone, those of the own update and the last step', () => {
    expectClose(conspire('aLittleIsEnough'), [0.5, -0.5, 0]);
    expectClose(conspire('aLittleIsEnoughUpward'), [3.5, 2.5, 0]);
    // Mean (0.3, 0, 0) of update and step, deviation 0.8 / sqrt 2 in the second coordinate.
    const lastStep = Float32Array.from([0.3, 0.4, 0]);
    expectClose(corrupt('aLittleIsEnough', { lastStep }), [0.3, -1.5 * 0.4 * Math.SQRT2, 0]);
    expectClose(corrupt('aLittleIsEnough'), [0.3, -0.4, 0]);
  });

  it('minMax: as far as the largest honest distance, and not a step farther', () => {
    // Largest squared distance 8, of (1, 0, 0) and (3, 2, 0). From mean - g (1, 1, 0) the farthest is (3, 2, 0): 2 (1 + g)^2.
    expectClose(conspire('minMax'), [1, 0, 0]);
    expectClose(corrupt('minMax'), [0.3, -0.4, 0]);
  });

  it('minSum: as far as the largest sum of honest distances', () => {
    // Largest sum 2 + 8 of a corner; the mean's own is 4, g adds 3 * 2 g^2.
    expectClose(conspire('minSum'), [2 - 1, 1 - 1, 0]);
  });

  it('minMax and minSum on other rows hold their conditions with equality', () => {
    const random = createRandom('spread');
    const honest = Array.from({ length: 7 }, () => Float32Array.from({ length: 30 }, () => random.nextNormal()));
    const distance = (a: Float32Array, b: Float32Array) => l2Norm(a.map((value, k) => value - b[k]!)) ** 2;
    const between = honest.map((x) => honest.map((y) => distance(x, y)));
    const far = Float32Array.from(conspire('minMax', { honest }));
    expect(Math.max(...honest.map((x) => distance(far, x)))).to.be.closeTo(Math.max(...between.flat()), 1e-3);
    const sum = Float32Array.from(conspire('minSum', { honest }));
    const sums = between.map((row) => row.reduce((total, value) => total + value, 0));
    expect(honest.reduce((total, x) => total + distance(sum, x), 0)).to.be.closeTo(Math.max(...sums), 1e-2);
  });

  it('the searched versions go where the rule is hurt most', () => {
    // The damage peaks at 3 on the way from the mean.
    const damage = (candidate: Float32Array) => -Math.abs(candidate[0]! - 2 + 3);
    expect(conspire('searchedALittleIsEnough', { damage })[0]).to.be.closeTo(-1, 0.1);
    expect(conspire('searchedInnerProductManipulation', { damage })[0]).to.be.closeTo(-1, 0.1);
  });

  it('the line search doubles while that helps, closes in when it does not, and tries no more than it may', () => {
    let tried = 0;
    const peak = (at: number) => (x: number) => {
      tried++;
      return -((x - at) ** 2);
    };
    for (const at of [0.3, 2, 37, 1000]) {
      tried = 0;
      expect(searchFactor(peak(at)), `peak at ${at}`).to.be.closeTo(at, 0.15 * at);
      expect(tried).to.equal(20);
    }
    expect(
      searchFactor(() => 1),
      'nothing helps',
    ).to.equal(0);
    expect(
      searchFactor((x) => x),
      'no end',
    ).to.equal(2 ** 19 - 1);
  });

  it('mimic: one honest update all along, the one farthest out', () => {
    const honest = [
      [0, 1],
      [1, 0],
      [0, -1],
      [9, 0],
    ].map((row) => Float32Array.from(row));
    const notes = new Map<string, number>();
    expect(conspire('mimic', { honest, notes })).to.deep.equal([9, 0]);
    expect(conspire('mimic', { honest: honest.toReversed().map((row) => row.map((x) => x + 1)), notes })).to.deep.equal(
      [1, 2],
    );
    expect(conspire('mimic', { honest: [Float32Array.from([4, 4])] }), 'one alone').to.deep.equal([4, 4]);
  });

  it('backdoor: every second sample has the trigger and label 0; its success is measured on the others held out', () => {
    const picture: Dataset = {
      ...{ name: 'white', features: 64, classes: 3, size: 3, scale: 1 / 255 },
      ...{ x: new Uint8Array(192), y: Uint8Array.from([1, 2, 0]) },
    };
    const { x, y } = parseAttack('backdoor').corruptDataset!(picture);
    expect([...y]).to.deep.equal([1, 0, 0]);
    const stamped = Array.from({ length: 64 }, (_, k) => (k >> 3 >= 4 && (k & 7) >= 4 ? 255 : 0));
    expect([...x.subarray(64, 128)]).to.deep.equal(stamped);
    expect([...x.subarray(0, 64), ...x.subarray(128)].every((value) => value === 0)).to.equal(true);
    expect(
      picture.x.every((value) => value === 0),
      'the own data stay',
    ).to.equal(true);
    const measured = backdoorSamples(picture)!;
    expect(measured.size).to.equal(2);
    expect([...measured.y]).to.deep.equal([0, 0]);
    expect([...measured.x.subarray(0, 64)]).to.deep.equal(stamped);
    expect(backdoorSamples({ ...picture, y: new Uint8Array(3) })).to.equal(undefined);
    // A table: the last column.
    expect([...parseAttack('backdoor').corruptDataset!(clouds(4, 'table')).x.subarray(4, 8)][3]).to.equal(10);
  });

  it('scaledModelReplacement: times n / f for colluders, to the limit alone', () => {
    const collusion = { attackers: 2, participants: 10 };
    expectClose(corrupt('scaledModelReplacement', { collusion }), [1.5, -2, 0]);
    expectClose(corrupt('scaledModelReplacement', { maxNorm: 1 }), [0.6, -0.8, 0]);
    expectClose(corrupt('scaledModelReplacement'), [3, -4, 0]);
  });

  it('overflow and notANumber: int16 of the largest size, and the bytes of NaN', () => {
    const forge = (name: string) => parseAttack(name).forgePayload!(context());
    expect([...forge('overflow')]).to.deep.equal([-32767, 32767, 32767]);
    const pair = forge('notANumber').slice(0, 2);
    expect(new Float32Array(pair.buffer)[0]).to.deep.equal(Number.NaN);
  });

  it('a node can run those that need no sealed update; the contract does not count three', async () => {
    const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);
    const omniscient = ['searchedInnerProductManipulation', 'searchedALittleIsEnough', 'mimic'];
    expect(names(attacks.filter((attack) => !isLone(attack)))).to.deep.equal(omniscient);
    expect(names(loneAttacks)).to.have.length(attacks.length - 3);
    expect(names(attacks.filter(isRefused))).to.deep.equal(['copycat', 'overflow', 'notANumber']);
    await expectError(() => parseLoneAttack('mimic'), 'ATTACK_UNKNOWN', /assay simulate/);
  });

  it('are found by their name in either spelling; an unknown one lists them all', async () => {
    expect(parseAttack('sign-flipping')).to.equal(parseAttack('signFlipping'));
    const error = await expectError(() => parseAttack('gossip'), 'ATTACK_UNKNOWN', /Received: "gossip"/);
    for (const { name } of attacks) expect(error.message).to.include(name);
  });
});

import { expect } from 'chai';
import { modelFromState } from '../../auditor/replay/modelFrom.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';

describe('the model that a published server state leads to', () => {
  it("moves by the learning rate's share of the state, towards zero, within 32 bits", () => {
    const serverStep = {
      optimizer: 'fedAvgM',
      learningRateQ16: 49_152,
      momentumQ16: 58_982,
      secondMomentQ16: 0,
      adaptivity: 0,
    }; // 0.75
    const base = Int32Array.of(1000, 1000, 1000, 2 ** 31 - 1);
    const state = Int32Array.of(8, -7, 0, 100);
    const model = modelFromState({ serverStep, chunkSize: 4 } as LearningParameters, base, state);
    expect([...model]).to.deep.equal([1006, 995, 1000, 2 ** 31 - 1]);
  });
});

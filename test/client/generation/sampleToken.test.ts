import { expect } from 'chai';
import { checkSampling, type SamplingSettings, sampleToken } from '../../../client/generation/sampleToken.ts';
import { createRandom } from '../../../client/random.ts';
import { expectError } from '../support/expectError.ts';

const LOGITS = Float32Array.from([0.1, 0.5, 0.2, 0.15, 0.05], Math.log);
const ALL: SamplingSettings = { temperature: 1, topK: 0, topP: 1 };

/** How often each token is drawn. */
function shares(settings: Partial<SamplingSettings>, draws = 20_000, barred?: ReadonlySet<number>): number[] {
  const random = createRandom('sampleToken', JSON.stringify(settings));
  const counts = new Array<number>(LOGITS.length).fill(0);
  for (let i = 0; i < draws; i++) counts[sampleToken(LOGITS, { ...ALL, ...settings }, random, barred)]! += 1 / draws;
  return counts;
}

function expectShares(received: readonly number[], expected: readonly number[]): void {
  // Four standard deviations of a share after 20,000 draws are below 0.0142.
  received.forEach((share, token) => {
    expect(share, `token ${token}`).to.be.closeTo(expected[token]!, 0.0142);
    if (expected[token] === 0) expect(share, `token ${token}`).to.equal(0);
  });
}

describe('sampleToken', () => {
  it("draws by the model's own distribution at temperature 1", () => {
    expectShares(shares({}), [0.1, 0.5, 0.2, 0.15, 0.05]);
  });

  it('sharpens below: temperature 1/2 squares the probabilities', () => {
    const squares = [0.01, 0.25, 0.04, 0.0225, 0.0025];
    const sum = squares.reduce((total, square) => total + square, 0);
    expectShares(
      shares({ temperature: 0.5 }),
      squares.map((square) => square / sum),
    );
  });

  it('temperature 0 is the likeliest token, the lower one of equals', () => {
    expect(sampleToken(LOGITS, { ...ALL, temperature: 0 }, createRandom('x'))).to.equal(1);
    expect(sampleToken(Float32Array.of(0, 3, 3), { ...ALL, temperature: 0 }, createRandom('x'))).to.equal(1);
  });

  it('top-k keeps the k likeliest', () => {
    expectShares(shares({ topK: 2 }), [0, 5 / 7, 2 / 7, 0, 0]);
  });

  it('top-p keeps the fewest that reach p', () => {
    expectShares(shares({ topP: 0.6 }), [0, 5 / 7, 2 / 7, 0, 0]);
    expectShares(shares({ topP: 0.45 }), [0, 1, 0, 0, 0]);
  });

  it('never draws a barred token', () => {
    expectShares(shares({}, 20_000, new Set([1])), [0.2, 0, 0.4, 0.3, 0.1]);
  });

  it('refuses what makes no sense', async () => {
    for (const wrong of [{ temperature: -1 }, { temperature: Number.NaN }, { topK: 1.5 }, { topP: 0 }, { topP: 2 }]) {
      await expectError(() => checkSampling({ ...ALL, ...wrong }), 'SAMPLING');
    }
    checkSampling(ALL);
  });
});

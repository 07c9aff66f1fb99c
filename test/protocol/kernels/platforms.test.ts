/**
 * The digests that other platforms must reproduce (`npm run test:browser`, `npm run test:node22`), here by the plain
 * reference, which they came from, and by the kernels.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { chooseEngine } from '../../../protocol/round/engine/chooseEngine.ts';
import { exercise } from '../../browser/exercise.ts';

describe('the digests of whole rounds', function () {
  this.timeout(30_000);
  const expected = JSON.parse(readFileSync(new URL('../../vectors/kernels.json', import.meta.url), 'utf8')) as unknown;

  for (const [name, threads] of [
    ['reference', 1],
    ['wasm', 1],
    ['wasm', 2],
  ] as const) {
    it(`${name}, threads: ${threads}`, async () => {
      const engine = chooseEngine(name, threads);
      expect(await exercise(engine)).to.deep.equal(expected);
      await engine.close();
    });
  }
});

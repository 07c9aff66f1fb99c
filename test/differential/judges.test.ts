/**
 * Two implementations of every judge, Solidity and TypeScript, asked the same random questions: 10,000 by default,
 * FUZZ_CASES asks for more, FUZZ_SEED for others. A case that differs is named by its seed.
 */
import { expect } from 'chai';
import { Random } from '../protocol/support/disputeWorld.ts';
import { CASE_KINDS } from './cases.ts';
import { type Harness, openHarness } from './harness.ts';

const CASES = Number(process.env.FUZZ_CASES ?? 10_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Questions of one eth_call: the dearest, about 400,000 gas each, stay below a transaction's cap. */
const BATCH = 25;

describe('the judges in Solidity and in TypeScript', function () {
  this.timeout(600_000);
  let harness: Harness;
  before(async () => {
    harness = await openHarness();
  });
  after(() => harness.close());

  for (const [kind, [name, percent, make]] of CASE_KINDS.entries()) {
    const count = Math.ceil((CASES * percent) / 100);
    it(`${name}: ${count} cases`, async () => {
      const seen = new Map<string, number>();
      for (let start = 0; start < count; start += BATCH) {
        const seeds = Array.from(
          { length: Math.min(BATCH, count - start) },
          (_, i) => (SEED * 1_000_003 + kind * 7919 + start + i) * 31,
        );
        const cases = await Promise.all(seeds.map((seed) => make(new Random(seed))));
        const answers = await harness.ask(cases.map(({ question }) => question));
        for (const [i, { expected, question }] of cases.entries()) {
          if (answers[i] !== expected) {
            expect.fail(`seed ${seeds[i]}, ${question.call[0]}: Solidity says ${answers[i]}, TypeScript ${expected}`);
          }
          seen.set(expected, (seen.get(expected) ?? 0) + 1);
        }
      }
      // Cases of which all end the same way would show little.
      expect(seen.size, [...seen].join('; ')).to.be.greaterThan(1);
      if (seen.has('innocent')) expect([...seen.keys()]).to.have.members(['guilty', 'innocent', 'malformed']);
    });
  }
});

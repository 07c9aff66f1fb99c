/** docs/spec/facts.md: the examples that need no running federation. The others are compared in runningByHand.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { demoFactsSchema } from '../../scripts/demo/demoFacts.ts';
import { simulateFactsSchema } from '../../scripts/simulate/simulateFacts.ts';
import { expectFields, factsExample, factsExamples, readFacts } from './factsExamples.ts';
import { Terminal } from './terminal.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('docs/spec/facts.md', () => {
  for (const [name, schema] of Object.entries({ demo: demoFactsSchema, simulate: simulateFactsSchema })) {
    it(`shows facts of ${name} that its schema takes, with every field`, () => {
      const example = factsExample(name);
      expect(schema.parse(example)).to.deep.equal(example);
      expect(example).to.have.all.keys(Object.keys(schema.shape));
      for (const key of Object.keys(example)) {
        expect(schema.safeParse({ ...example, [key]: undefined }).success, `without ${key}`).to.equal(false);
      }
    });
  }

  it('shows the facts of a new key', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-facts-'));
    try {
      const facts = join(folder, 'facts.json');
      const command = `echo a password > ${folder}/password; node scripts/assay.ts keys create --light --state ${folder} --password-file ${folder}/password --json ${facts}`;
      const terminal = new Terminal(command, ROOT);
      expect(await terminal.ended(), terminal.output).to.equal(0);
      expectFields(await readFacts(facts), factsExample('keysCreate'), 'keys create');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('has an example for every command but the audit, whose report has a page of its own', () => {
    const commands = [
      'demo',
      'simulate',
      'chain',
      'keysCreate',
      'deploy',
      'client',
      'aggregator',
      'status',
      'dispute',
      'watch',
      'export',
      'model',
      'generate',
      'leave',
      'rewardsFund',
      'rewardsWithdraw',
      'trainerCheck', // compared in test/client/training/external/checkTrainer.test.ts
    ];
    expect(Object.keys(factsExamples())).to.have.members(commands);
  });
});

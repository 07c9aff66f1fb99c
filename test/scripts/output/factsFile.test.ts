import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FactsFile } from '../../../scripts/output/factsFile.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('output: the facts of a node', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-facts-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('has the head and the events that are facts; numbers of any size survive', async () => {
    const path = join(folder, 'facts.json');
    const facts = new FactsFile(path, { command: 'client' });
    for (const type of ['registered', 'training', 'waiting']) facts.add({ type });
    const stored = { type: 'stored', normSq: 2n ** 63n };
    facts.add(stored);
    await facts.write();
    expect(JSON.parse(await readFile(path, 'utf8'))).to.deep.equal({
      command: 'client',
      events: [{ type: 'registered' }, { type: 'stored', normSq: (2n ** 63n).toString() }],
    });
  });

  it('a write that fails does not end the node, and the next one has everything', async () => {
    const path = join(folder, 'blocked', 'facts.json');
    await writeFile(join(folder, 'blocked'), 'a file where a folder must be');
    const facts = new FactsFile(path, { command: 'client' });
    facts.add({ type: 'revealed' }); // written in the background: an unhandled rejection would fail this test
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expectError(() => facts.write(), 'FILE_WRITE');
    await rm(join(folder, 'blocked'));
    await mkdir(join(folder, 'blocked'));
    facts.add({ type: 'published' });
    await facts.write();
    const { events } = JSON.parse(await readFile(path, 'utf8')) as { events: { type: string }[] };
    expect(events.map(({ type }) => type)).to.deep.equal(['revealed', 'published']);
  });
});

/** `assay generate`: a model fetched from whoever serves it, verified, sampled; the same seed gives the same. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { codeTransformer, digitsVae } from '../../client/models/presets.ts';
import { expectFields, factsExample, readFacts } from '../docs/factsExamples.ts';
import { startAggregator } from './support/inProcess.ts';
import { startAssay } from './support/processes.ts';
import { SLOW_MACHINE_MS, type TestFederation, useWorld, type World } from './support/world.ts';

describe('scenario: generating', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  async function generate(fed: TestFederation, ...args: string[]) {
    const place = ['--rpc-url', world.chain.url, '--federation', fed.address, '--round', '0'];
    const run = startAssay(world, ['generate', ...place, ...args]);
    const parts: Buffer[] = [];
    run.child.stdout?.on('data', (data: Buffer) => parts.push(data));
    const { status, stderr } = await run.ended;
    return { status, stderr, said: Buffer.concat(parts) };
  }

  it('continues a prompt', async () => {
    const { manifest } = codeTransformer('scenario', { kind: 'byte-bpe', merges: [[97, 98]] }, 16);
    const fed = await world.federation({ changeManifest: () => manifest });
    await startAggregator(world, fed);
    const folder = await world.newFolder('text');
    const [facts, out] = [join(folder, 'facts.json'), join(folder, 'out.txt')];
    const first = await generate(fed, '--prompt', 'ab cd', '--tokens', '12', '--json', facts, '--out', out);
    expect(first.status, first.stderr).to.equal(0);
    expect(first.stderr).to.match(/round 0, \d+ parameters, root 0x[0-9a-f]{64}: verified/);
    const text = await readFile(out);
    expect(text.subarray(0, 5).toString()).to.equal('ab cd');
    expect(first.said.toString('latin1')).to.equal(`${text.toString('latin1')}\n`);
    const written = await readFacts(facts);
    expectFields(written, factsExample('generate'), 'generate');
    expect(written.tokens).to.have.length(12);
    const again = await generate(fed, '--prompt', 'ab cd', '--tokens', '12');
    expect(again.said.equals(first.said), 'the same seed').to.equal(true);
    const other = await generate(fed, '--prompt', 'ab cd', '--tokens', '12', '--seed', 'other');
    expect(other.said.equals(first.said), 'another seed').to.equal(false);

    const mute = await generate(fed);
    expect(mute.status).to.equal(1);
    expect(mute.stderr).to.match(/needs something to continue/);
  });

  it('draws the classes it is asked for', async () => {
    const fed = await world.federation({ changeManifest: () => digitsVae('scenario').manifest });
    await startAggregator(world, fed);
    const out = join(await world.newFolder('images'), 'sheet.png');
    const drawn = await generate(fed, '--classes', '3,1', '--count', '4', '--out', out);
    expect(drawn.status, drawn.stderr).to.equal(0);
    expect(drawn.said.toString()).to.contain('8 images, a row for each of the classes 3, 1');
    const png = await readFile(out);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)], 'sides').to.deep.equal([2 + 4 * 30, 2 + 2 * 30]);
    const stranger = await generate(fed, '--classes', '10', '--out', out);
    expect(stranger.status).to.equal(1);
    expect(stranger.stderr).to.match(/a class from 0 to 9/);
  });
});

/** `assay trainer check`: what it says about trainers that are right, and about those that are not. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { checkTrainer } from '../../../../client/training/external/checkTrainer.ts';
import { parseCommand } from '../../../../client/training/external/command.ts';
import { syntheticData } from '../../../../client/training/external/syntheticData.ts';
import { expectFields, factsExample, readFacts } from '../../../docs/factsExamples.ts';
import { smallManifest } from '../../support/smallFederation.ts';

const SCRIPT = fileURLToPath(new URL('./trainers/node.mjs', import.meta.url));
const ENTRY = fileURLToPath(new URL('../../../../scripts/assay.ts', import.meta.url));

describe('trainer check', function () {
  this.timeout(60_000);
  const manifest = { ...smallManifest(), engine: 'trainer/1' };

  async function check(faults: string) {
    const made = (seed: string) => syntheticData(manifest, 40, seed);
    const command = parseCommand(`'${process.execPath}' '${SCRIPT}' ${faults}`);
    const rows = await checkTrainer({ manifest, command, train: made('train'), test: made('test') });
    return Object.fromEntries(rows.map(({ name, outcome, detail }) => [name, { outcome, detail }]));
  }

  it('names what a trainer can do, and warns of what is odd', async () => {
    const rows = await check('');
    const outcomes = Object.fromEntries(Object.entries(rows).map(([name, { outcome }]) => [name, outcome]));
    expect(outcomes).to.deep.equal({
      persistent: 'ok',
      'in a folder': 'ok',
      init: 'warning', // every weight the same
      'init again': 'ok',
      train: 'ok',
      'train again': 'ok',
      'train, in a folder': 'ok',
      'unknown algorithm': 'warning', // it knows none and looks at none
      evaluate: 'ok',
      rounds: 'warning', // its loss never falls
    });
    expect(rows.rounds!.detail).to.match(/does not learn/);
  });

  it('says what is not reproducible', async () => {
    const rows = await check('dice');
    expect(rows['train again']).to.deep.equal({
      outcome: 'warning',
      detail: 'not reproducible: 67 of 67 weights differ for the same seed',
    });
  });

  it('is content with one of the two ways to start', async () => {
    const rows = await check('folderOnly');
    expect(rows['in a folder']!.outcome).to.equal('ok');
    expect(rows.persistent!.outcome).to.equal('warning');
  });

  it('the command prints a table and ends with status 1 where a trainer is not usable', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay-check-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const json = join(folder, 'facts.json');
    const line = `node '${SCRIPT}' missing`;
    const run = promisify(execFile)(process.execPath, [ENTRY, 'trainer', 'check', line, '--json', json]);
    const { code, stdout } = await run.then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => error,
    );
    expect(code).to.equal(1);
    expect(stdout).to.match(/✖ init .*does not hold the manifest's tensors\n.*4 tensors.*\n.*missing: output\/kernel/);
    expect(stdout).to.match(/✖ train .*\n/);
    expect(stdout).to.match(/not usable: \d+ checks, \d+ failed/);
    expectFields(await readFacts(json), factsExample('trainerCheck'), 'trainer check');
  });
});

/** docs/running-by-hand.md, typed in as it stands: real processes, a real chain, to the audit's exit status. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { auditReportSchema } from '../../auditor/report/auditReport.ts';
import { freePort } from '../../scripts/node/localChain.ts';
import { expectFields, factsExample, readFacts } from './factsExamples.ts';
import { countShellBlocks, readBlocks } from './pageCommands.ts';
import { replaceShell, Terminal } from './terminal.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PATIENCE_MS = 240_000;

describe('running by hand', function () {
  this.timeout(2 * PATIENCE_MS);
  let folder: string;
  const terminals = new Map<string, Terminal>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-by-hand-'));
  });
  const stopAll = async (): Promise<string[]> => {
    const stubborn: string[] = [];
    // The chain, which was started first, ends last.
    for (const [name, terminal] of [...terminals].reverse()) if (!(await terminal.stop())) stubborn.push(name);
    return stubborn;
  };
  after(async () => {
    await stopAll();
    await rm(folder, { recursive: true, force: true });
  });

  it('the commands of the page work as they stand, from the chain to the audit and the model', async () => {
    const page = await readFile(join(ROOT, 'docs/running-by-hand.md'), 'utf8');
    const blocks = readBlocks(page);
    expect(blocks.length, 'every block is marked, so every block is run').to.equal(countShellBlocks(page));
    const port = await freePort();
    const placed = (script: string): string =>
      script.replaceAll('./runs/by-hand', folder).replaceAll('runs/by-hand', folder).replaceAll('8545', String(port));

    for (const { kind, name, after, expected, script, line } of blocks) {
      for (const other of after) {
        const done = blocks.find((block) => block.name === other)!.expected.done!;
        await terminals.get(other)!.until(done, PATIENCE_MS);
      }
      if (kind === 'terminal') {
        const terminal = new Terminal(replaceShell(placed(script)), ROOT);
        terminals.set(name, terminal);
        await terminal.until(expected.ready!, PATIENCE_MS);
      } else {
        const terminal = new Terminal(placed(script), ROOT);
        expect(await terminal.ended(), `line ${line} of the page:\n${terminal.output}`).to.equal(0);
        if (expected.prints !== undefined) expect(terminal.output).to.include(expected.prints);
      }
    }

    const report = auditReportSchema.parse(JSON.parse(await readFile(join(folder, 'audit.json'), 'utf8')));
    expect(report.ok).to.equal(true);
    expect(report.rounds.map(({ verified, updates }) => [verified, updates])).to.deep.equal(
      Array(3).fill(['replayed', 3]),
    );
    for (const file of ['audit.html', 'evidence.car', 'model/model.safetensors', 'model/tfjs/model.json']) {
      expect((await stat(join(folder, file))).size, file).to.be.greaterThan(1000);
    }
    for (const name of ['chain', 'deploy', 'aggregator', 'client', 'status', 'export', 'model', 'leave']) {
      expectFields(await readFacts(join(folder, `${name}.json`)), factsExample(name), name);
    }
    expect(await stopAll(), 'nodes that did not end when asked to').to.deep.equal([]);
    expect((await stat(join(folder, 'password'))).mode & 0o077, 'the password is its owner’s alone').to.equal(0);
  });
});

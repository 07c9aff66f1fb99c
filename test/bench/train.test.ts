/** `npm run bench:train` as a whole, small, and how it judges and writes down what it found. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { encodeData, makeData } from '../../bench/train/data.ts';
import { lossDifference, type TrainBenchFacts, type TrainRow } from '../../bench/train/facts.ts';
import { replaceTables } from '../../bench/train/page.ts';
import { TRAIN_CASES } from '../../bench/train/plan.ts';
import { differingLosses, judgeTraining } from '../../bench/train/targets.ts';
import type { TextDataset } from '../../client/datasets/text/textDataset.ts';
import { decodeSafetensors } from '../../client/export/safetensors.ts';
import { describeModel } from '../../client/models/registry.ts';

const COMMAND = fileURLToPath(new URL('../../bench/train/bench.ts', import.meta.url));
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, [COMMAND, ...args], {
    env: { ...process.env, ASSAY_PYTHON: 'no-such-python' },
  });

const row: TrainRow = {
  name: 'lstm',
  title: 'an LSTM',
  dimension: 117_344,
  engines: [
    { engine: 'embedded', milliseconds: 20, turns: 7, losses: [4, 2] },
    { engine: 'stock', milliseconds: 90, turns: 3, losses: [4, 2.001] },
    { engine: 'pytorch', milliseconds: 10, turns: 7, losses: [4, 2.01] },
  ],
};
const facts: TrainBenchFacts = {
  format: 'assay-bench-train/1',
  machine: { processor: 'a processor', processors: 2, memoryGiB: 24, system: 'Linux', node: '24.0.0', commit: null },
  engines: [
    { engine: 'embedded', version: 'e/1' },
    { engine: 'stock', version: 's/1' },
    { engine: 'pytorch', version: 'p/1' },
  ],
  rows: [row],
  targets: judgeTraining([row]),
};

describe('the bench of training', function () {
  this.timeout(60_000);

  it('trains the same model to the same losses on our engine and on stock TF.js, and says who is missing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-bench-test-'));
    const file = join(folder, 'facts.json');
    const { stdout } = await bench('--only', 'mlp', '--steps', '2', '--json', file);
    expect(stdout).to.match(/no-such-python has no torch/);
    const { rows } = JSON.parse(await readFile(file, 'utf8')) as TrainBenchFacts;
    expect(rows.map(({ name, dimension }) => [name, dimension])).to.deep.equal([['mlp', 101_770]]);
    const [measured] = rows;
    expect(measured!.engines.map(({ engine }) => engine)).to.include.members(['embedded', 'stock']);
    for (const { milliseconds, losses } of measured!.engines) {
      expect(milliseconds).to.be.above(0);
      expect(losses[0]).to.be.closeTo(Math.log(10), 1);
      expect(losses.at(-1)).to.be.below(losses[0]!);
    }
    expect(lossDifference(measured!, 'stock')).to.be.below(1e-4);
    await rm(folder, { recursive: true });
  });

  it('refuses what it does not know, and names what it does', async () => {
    const { stderr } = await bench('--only', 'gru').catch((error: { stderr: string }) => error);
    expect(stderr).to.match(/nothing of that name to measure[\s\S]*logistic \| mlp[\s\S]*gru/);
    const engine = await bench('--engine', 'abacus').catch((error: { stderr: string }) => error);
    expect(engine.stderr).to.match(/embedded \| stock \| tfjs-node \| pytorch[\s\S]*abacus/);
  });

  it('judges by the same run, and says whose losses are of another model', () => {
    expect(facts.targets).to.deep.equal([
      { target: 'an LSTM: time of PyTorch, one thread', wanted: 'at most 2.5 x', reached: '2.00 x', isReached: true },
      { target: 'an LSTM: as fast as stock TF.js WASM', wanted: 'at least 5 x', reached: '4.5 x', isReached: false },
    ]);
    expect(differingLosses(row)).to.deep.equal(["note: pytorch's losses of an LSTM differ by 0.50 %"]);
  });

  it('writes its tables between the marks of the page and leaves the rest', async () => {
    const page = await readFile(new URL('../../docs/training.md', import.meta.url), 'utf8');
    const written = replaceTables(page, facts);
    expect(written).to.include('| an LSTM | 117,344 | 20.0 | 90.0 | 10.0 | 2.0 x | 4.5 x | 5e-3 |');
    expect(written.split('<!-- bench:train begins -->')[0]).to.equal(page.split('<!-- bench:train begins -->')[0]);
    expect(written.split('<!-- bench:train ends -->')[1]).to.equal(page.split('<!-- bench:train ends -->')[1]);
    expect(replaceTables(written, facts)).to.equal(written);
    expect(() => replaceTables('# a page without', facts)).to.throw('has no <!-- bench:train begins -->');
  });

  it('describes models of the sizes that the issue names, and hands PyTorch the successor of every token', () => {
    const sizes = TRAIN_CASES.map(({ model }) => describeModel(model).dimension);
    expect(sizes).to.deep.equal([7_850, 101_770, 61_706, 1_663_370, 117_344, 110_336, 420_144]);
    const text = makeData(TRAIN_CASES.find(({ name }) => name === 'lstm')!, 2) as TextDataset;
    const tensors = decodeSafetensors(encodeData(TRAIN_CASES.find(({ name }) => name === 'lstm')!, 2));
    expect(tensors.tensors).to.deep.equal([
      { name: 'next', shape: [2, 64] },
      { name: 'tokens', shape: [2, 64] },
    ]);
    expect([...tensors.weights]).to.deep.equal([...text.tokens.subarray(1), ...text.tokens.subarray(0, 128)]);
  });
});

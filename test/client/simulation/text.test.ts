/** Federations of text, simulated: who gets which documents, what is measured, and what is refused. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isLone } from '../../../client/attacks/attack.ts';
import { attacks } from '../../../client/attacks/registry.ts';
import { loadDataset, parseDataset } from '../../../client/datasets/loadSilo.ts';
import type { TextDataset, TextSplit } from '../../../client/datasets/text/textDataset.ts';
import { cellKey } from '../../../client/simulation/cell.ts';
import { cellsOf, checkGrid } from '../../../client/simulation/grid.ts';
import { poolOf } from '../../../client/simulation/pool.ts';
import { simulateCell } from '../../../client/simulation/simulateCell.ts';
import { loadSimulationData, type SimulatedText } from '../../../client/simulation/simulationData.ts';
import { CODE_SILOS, corpusOf } from '../../../scripts/demo/tasks/codeSilos.ts';
import { expectError } from '../support/expectError.ts';
import { smallTextGrid, writeSmallText } from './smallText.ts';
import { smallGrid } from './support.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('client simulation: text', function () {
  this.timeout(60_000);
  let folder: string;
  let data: SimulatedText;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-text-'));
    await writeSmallText(folder);
    data = (await loadSimulationData(smallTextGrid(folder), folder)) as SimulatedText;
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const grid = (more: Record<string, unknown> = {}) => smallTextGrid(folder, more);
  const run = (more: Record<string, unknown> = {}) => simulateCell(cellsOf(grid(more))[0]!, data);

  it('divides documents: by folder, by a concentration of folders, at random; each to one silo, never a held-out one', () => {
    const { corpus } = data;
    expect(corpus.originNames).to.deep.equal(['bank', 'clinic', 'garden', 'harbour']);
    expect(corpus.documents.length + corpus.heldOut.length).to.equal(24);
    const pool = poolOf(data);
    const foldersOf = (items: Uint32Array) => [...new Set(Array.from(items, (item) => corpus.origins[item]!))];
    for (const alpha of ['natural', 0.1, 'iid'] as const) {
      const parts = pool.divide(3, alpha, 'seed');
      const all = parts.flatMap((items) => [...items]).sort((a, b) => a - b);
      expect(all, String(alpha)).to.deep.equal([...corpus.documents.keys()]);
      if (alpha !== 'natural') expect(parts).to.not.deep.equal(pool.divide(3, alpha, 'another'));
    }
    // Four folders, three silos: the fourth folder is the first silo's too.
    expect(pool.divide(3, 'natural', 'seed').map(foldersOf)).to.deep.equal([[0, 3], [1], [2]]);
    const mixed = pool.divide(4, 'iid', 'seed').map((items) => foldersOf(items).length);
    const skewed = pool.divide(4, 0.05, 'seed').map((items) => foldersOf(items).length);
    expect(mean(skewed)).to.be.below(mean(mixed));
    const held = new Set(corpus.heldOut.map(({ name }) => name));
    expect(corpus.documents.some(({ name }) => held.has(name))).to.equal(false);
  });

  it("a package's part is to the token what a node reads that names it alone, and so is what is held out of all", async () => {
    const dataset = 'package:mocha:js,zod:ts?limit=40000';
    const read = (await loadSimulationData({ ...grid(), dataset }, folder)) as SimulatedText;
    const pool = poolOf(read);
    const node = async (name: string) =>
      (await loadDataset(parseDataset(name), { cacheFolder: folder, seed: 'assay', data: read.data })) as TextSplit;
    const parts = pool.divide(2, 'natural', 'any');
    for (const [silo, name] of ['package:mocha:js?limit=40000', 'package:zod:ts?limit=40000'].entries()) {
      const { tokens } = pool.take(parts[silo]!) as TextDataset;
      expect([...tokens], name).to.deep.equal([...(await node(name)).train.tokens]);
    }
    expect([...read.test.tokens]).to.deep.equal([...(await node(dataset)).test.tokens]);
  });

  it('learns: the loss per token falls, more of the next tokens are right, and there is no backdoor to measure', async () => {
    const { accuracy, finalAccuracy, backdoorSuccess, share } = await run();
    expect(accuracy.at(-1)!.loss).to.be.below(0.7 * Math.log(280));
    expect(accuracy.at(-1)!.loss).to.be.below(accuracy[0]!.loss - 0.5);
    expect(finalAccuracy).to.be.above(accuracy[0]!.accuracy);
    expect(backdoorSuccess).to.equal(null);
    expect(share, 'nobody attacks').to.deep.equal([1, 1, 1, 1]);
  });

  it('the same cell gives the same bits; another model, division or tokeniser another cell', async () => {
    const model = { kind: 'lstm', context: 8, embedding: 6, hidden: 8, layers: 1 };
    const [first, again, recurrent, iid] = [
      await run(),
      await run(),
      await run({ model }),
      await run({ alphas: ['iid'] }),
    ];
    expect(again).to.deep.equal(first);
    expect(new Set([first, recurrent, iid].map(({ modelRoot }) => modelRoot)).size).to.equal(3);
    const key = (more: Record<string, unknown>) => cellKey(cellsOf(grid(more))[0]!);
    const tokenizer = { dataset: `text:${folder}`, vocabulary: 281 };
    expect(new Set([{}, { model }, { alphas: ['iid'] }, { tokenizer }].map(key)).size).to.equal(4);
  });

  it('every attack on updates runs, with the knowledge of a real node those that can; a robust rule withstands', async () => {
    for (const attack of attacks) {
      if (attack.corruptDataset !== undefined) continue;
      const settings = {
        attacks: [attack.name],
        rounds: 2,
        training: { localSteps: 2, batchSize: 8, learningRate: 0.1 },
      };
      expect((await run(settings)).leftOut, attack.name).to.have.length(3);
      if (isLone(attack)) await run({ ...settings, view: 'lone' });
    }
    const attacked = { attacks: ['scaledSignFlipping'], alphas: ['iid'] };
    const [averaged, robust] = [await run(attacked), await run({ ...attacked, rules: ['median'] })];
    expect(robust.accuracy.at(-1)!.loss).to.be.below(averaged.accuracy.at(-1)!.loss - 0.5);
  });

  it("attackers without data of their own draw documents of everybody's; participants hold out whole documents", async () => {
    const drawn = await run({ attackersHoldData: false, attacks: ['signFlipping'], participants: 5 });
    expect(drawn.leftOut).to.have.length(4);
    const settings = { heldOutPerParticipant: 0.25, personalisation: ['fine-tuning', 'fedper'], alphas: ['natural'] };
    const { participants } = await run({ ...settings, byzantine: 0 });
    expect(participants).to.have.length(4);
    for (const { shared, personal } of participants!) {
      // Perplexities: of four words and few signs, when the own text is known.
      expect(personal).to.have.all.keys('fine-tuning');
      expect(personal['fine-tuning']).to.be.within(1, shared!);
    }
  });

  it('a grid of text that leaves it open gets the small transformer and the public tokeniser, as its cells are known by', () => {
    const { dataset: _dataset, ...rest } = grid();
    const dataset = 'package:mocha:js,zod:ts,viem:ts,ethers:ts';
    const open = smallGrid({ ...rest, dataset, model: undefined, tokenizer: undefined });
    expect(open).to.include({ model: 'code-transformer' });
    expect(open.tokenizer).to.deep.equal({ dataset: 'package:ox:ts,abitype:ts', vocabulary: 512 });
    expect(checkGrid(open, 'again')).to.deep.equal(open);
    expect(smallGrid()).to.not.have.any.keys('model', 'tokenizer');
  });

  it('says what is wrong and where, before anything runs', async () => {
    const wrong = (change: Record<string, unknown>, code: string, text: RegExp) =>
      expectError(() => grid(change), code, text);
    for (const attack of ['labelFlipping', 'backdoor', 'scaledModelReplacement']) {
      await wrong({ attacks: [attack] }, 'GRID', new RegExp(`${attack} changes labels[\\s\\S]*signFlipping`));
    }
    await wrong({ dataset: 'package:mocha:js,zod:ts' }, 'GRID', /Expected: 4 packages[\s\S]*Received: 2 packages/);
    await wrong({ model: 'mnist-mlp' }, 'GRID', /Expected: a language model[\s\S]*mnist-mlp/);
    await wrong({ dataset: 'mnist', tokenizer: undefined }, 'GRID', /Expected: a model of samples/);
    await wrong({ dataset: 'mnist', model: undefined, alphas: [1] }, 'GRID', /samples have no tokens/);
    await wrong({ tokenizer: { dataset: 'mnist' } }, 'GRID', /learns from text[\s\S]*Received: mnist/);
    await wrong({ tokenizer: { vocabulary: 100 } }, 'GRID', /wrong at tokenizer\.vocabulary/);
    await expectError(() => smallGrid({ alphas: ['natural'] }), 'GRID', /samples come from nobody/);
    await expectError(
      () => simulateCell(cellsOf(grid({ participants: 5, byzantine: 0 }))[0]!, data),
      'PARTITION_IMPOSSIBLE',
      /at least 5[\s\S]*bank, clinic/,
    );
    const model = { kind: 'transformer', vocabulary: 999, context: 8, width: 8, layers: 1, heads: 2, feedForward: 16 };
    await expectError(() => run({ model }), 'MODEL_DATA', /280 tokens[\s\S]*999 tokens/);
  });

  it('the grid of the documentation has the silos of the code demonstration', async () => {
    const text = await readFile(new URL('../../../bench/grids/code.json', import.meta.url), 'utf8');
    const { dataset, participants } = checkGrid(JSON.parse(text), 'code.json');
    expect(dataset).to.equal(corpusOf(CODE_SILOS));
    expect(participants).to.equal(CODE_SILOS.length);
  });
});

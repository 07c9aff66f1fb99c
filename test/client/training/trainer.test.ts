import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createTrainer } from '../../../client/training/createTrainer.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { WorkerTrainer } from '../../../client/training/tfjs/workerTrainer.ts';
import type { Trainer } from '../../../client/training/trainer.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

/**
 * Hash of the weights that `support/trainOnce.ts` ends with, the same on every machine and Node version. Another engine
 * version: another hash.
 */
const FIXED_WEIGHTS = '0x3ea37155b172ed9366ee827d9ba6f5c7b57eddcc6c26d8cc71b1940ec83546cc';

const train = clouds(200, 'trainer');

describe('client trainer', () => {
  let trainer: Trainer | undefined;
  afterEach(async () => {
    await trainer?.close();
  });

  it('gives the bits of the engine, from a thread of its own', async () => {
    const manifest = smallManifest();
    trainer = createTrainer({ manifest, train, test: clouds(100, 'test') });
    expect(trainer).to.include({ engine: 'tfjs-wasm/3', dimension: 67 });
    const engine = await createEngine(manifest);
    const start = await trainer.init('seed');
    expect(start.join()).to.equal(engine.init('seed').join());
    const epochs: number[] = [];
    const result = await trainer.train({
      weights: start,
      round: 1n,
      seed: 's',
      onProgress: ({ epoch }) => epochs.push(epoch),
    });
    const expected = engine.train(train, { weights: start, round: 1n, seed: 's' });
    expect(result.weights.join()).to.equal(expected.weights.join());
    expect(start).to.have.length(67);
    expect(epochs).to.deep.equal([1, 2, 3]);
    expect(await trainer.evaluate({ weights: result.weights })).to.deep.equal(
      engine.evaluate(clouds(100, 'test'), expected.weights),
    );
  });

  it('gives the same bits in two processes, and the known ones', async () => {
    const script = fileURLToPath(new URL('../support/trainOnce.ts', import.meta.url));
    const run = async () => (await promisify(execFile)(process.execPath, [script])).stdout.trim();
    expect(await Promise.all([run(), run()])).to.deep.equal([FIXED_WEIGHTS, FIXED_WEIGHTS]);
  });

  it('leaves the calling thread free while it trains', async () => {
    trainer = createTrainer({ manifest: smallManifest({ localEpochs: 8 }), train: clouds(2000, 'long') });
    const weights = await trainer.init('free');
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 1);
    await trainer.train({ weights, round: 1, seed: 's' });
    clearInterval(timer);
    expect(ticks).to.be.above(10);
  });

  it('takes several tasks at once and answers each', async () => {
    trainer = createTrainer({ manifest: smallManifest(), train, test: train });
    const weights = await trainer.init('many');
    const [first, second, evaluation] = await Promise.all([
      trainer.train({ weights, round: 1, seed: 's' }),
      trainer.train({ weights, round: 2, seed: 's' }),
      trainer.evaluate({ weights }),
    ]);
    expect(first.weights.join()).not.to.equal(second.weights.join());
    expect(evaluation.samples).to.equal(200);
  });

  it('carries errors over the thread border with code and advice', async () => {
    const misfit = { ...train, features: 2, size: 400 };
    trainer = new WorkerTrainer({ manifest: smallManifest(), train: misfit });
    const weights = await trainer.init('errors');
    await expectError(() => trainer!.train({ weights, round: 1, seed: 's' }), 'DATASET_SHAPE', /To do:/);
    await expectError(() => trainer!.evaluate({ weights }), 'NO_TEST_DATA');
    await trainer.close();
    trainer = new WorkerTrainer({ manifest: { ...smallManifest(), engine: 'tfjs-wasm/9' }, train });
    await expectError(() => trainer!.init('x'), 'ENGINE_MISMATCH');
  });

  it('refuses data of another shape when it is made, training or held out: nothing may be staked on it', async () => {
    const misfit = { ...train, classes: 4 };
    await expectError(() => createTrainer({ manifest: smallManifest(), train: misfit }), 'DATASET_SHAPE', /4 classes/);
    await expectError(
      () => createTrainer({ manifest: smallManifest(), train, test: misfit }),
      'DATASET_SHAPE',
      /4 classes/,
    );
  });

  it('trains on rows that are a view into a bigger buffer', async () => {
    const big = new Float32Array(4_000_000);
    big.set(train.x, 1000);
    const view = { ...train, x: big.subarray(1000, 1000 + train.x.length) };
    const manifest = smallManifest();
    trainer = createTrainer({ manifest, train: view });
    const weights = await trainer.init('view');
    const { weights: trained } = await trainer.train({ weights, round: 1, seed: 's' });
    const engine = await createEngine(manifest);
    expect(trained.join()).to.equal(engine.train(train, { weights, round: 1, seed: 's' }).weights.join());
  });

  it('ends pending tasks with an error when it is closed, and stays closed', async () => {
    trainer = createTrainer({ manifest: smallManifest({ localEpochs: 1000 }), train });
    const weights = await trainer.init('close');
    const pending = expectError(() => trainer!.train({ weights, round: 1, seed: 's' }), 'TRAINER_FAILED', /closed/);
    await trainer.close();
    await pending;
    await trainer.close();
    await expectError(() => trainer!.init('late'), 'TRAINER_FAILED', /closed/);
  });

  it('says why its thread died, and starts a new one for the next task', async () => {
    const thread = new URL('../support/dyingThread.ts', import.meta.url);
    trainer = new WorkerTrainer({ manifest: smallManifest(), train }, thread);
    for (let attempt = 0; attempt < 2; attempt++) {
      await expectError(() => trainer!.init('dead'), 'TRAINER_FAILED', /died: out of memory, say/);
    }
  });
});

/**
 * Which engine trains. The stand-in for @tensorflow/tfjs-node is this project's own TF.js under the name of the native
 * backend: what is tried with it is the choice and the wiring, not TensorFlow.
 */
import util from 'node:util';
import { expect } from 'chai';
import { chooseEngine } from '../../../client/training/chooseEngine.ts';
import { createTrainer } from '../../../client/training/createTrainer.ts';
import { parseCommand } from '../../../client/training/external/command.ts';
import { ExternalTrainer } from '../../../client/training/external/externalTrainer.ts';
import { ENGINE, loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { createEngine, engineOf } from '../../../client/training/tfjs/engine.ts';
import { tfjsNodeKit } from '../../../client/training/tfjsNode/kit.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

const absent = { find: () => undefined, load: () => expect.fail('nothing may be loaded') };

describe('engine choice', () => {
  const command = parseCommand('python3 train.py');

  it("is the manifest's, and says so", () => {
    expect(chooseEngine(ENGINE)).to.deep.equal({
      kind: 'embedded',
      line: `training with ${ENGINE}, the built-in engine, as the manifest says`,
    });
    const native = { find: () => '/somewhere/index.js', load: () => undefined };
    expect(chooseEngine('tfjs-node/1', undefined, native)).to.deep.equal({
      kind: 'tfjs-node',
      line: 'training with tfjs-node/1, native TensorFlow at /somewhere/index.js',
    });
  });

  it("is the participant's own command where there is one, and says what it stands for", () => {
    expect(chooseEngine('trainer/1', command).line).to.equal('training with train.py, an external trainer (trainer/1)');
    expect(chooseEngine(ENGINE, command)).to.deep.equal({
      kind: 'external',
      line: `training with train.py, an external trainer (trainer/1) instead of ${ENGINE}, the manifest's engine`,
    });
  });

  it('is refused where there is none, with what to do', async () => {
    await expectError(() => chooseEngine('trainer/1'), 'TRAINER_MISSING', /--trainer 'COMMAND'/);
    await expectError(() => chooseEngine('tfjs-node/1', undefined, absent), 'ENGINE_UNAVAILABLE', /npm install/);
    await expectError(() => chooseEngine('tfjs-wasm/1'), 'ENGINE_MISMATCH', /tfjs-wasm\/1/);
  });

  it('makes the trainer', async () => {
    const train = clouds(20, 'choice');
    const external = createTrainer({ manifest: smallManifest(), external: { command } });
    expect(external).to.be.instanceOf(ExternalTrainer);
    await external.close();
    await expectError(() => createTrainer({ manifest: smallManifest() }), 'NO_TRAINING_DATA', /--dataset/);
    const own = { ...smallManifest(), engine: 'trainer/1' };
    await expectError(() => createTrainer({ manifest: own, train }), 'TRAINER_MISSING');
    const misfit = { ...train, classes: 4 };
    await expectError(() => createTrainer({ manifest: own, train: misfit, external: { command } }), 'DATASET_SHAPE');
  });
});

describe('engine of tfjs-node', () => {
  it('refuses, with what to do, what is not installed, does not load or has no native backend', async () => {
    await expectError(() => tfjsNodeKit(absent), 'ENGINE_UNAVAILABLE', /not installed/);
    const broken = (load: () => unknown) => ({ find: () => 'there', load });
    const noLibrary = broken(() => {
      throw new Error("Cannot find module 'tfjs_binding.node'");
    });
    await expectError(
      () => tfjsNodeKit(noLibrary),
      'ENGINE_UNAVAILABLE',
      /does not load: Cannot find.*\n.*\n.*\n.*native library/,
    );
    const cpu = broken(() => ({ getBackend: () => 'cpu' }));
    await expectError(() => tfjsNodeKit(cpu), 'ENGINE_UNAVAILABLE', /the backend is cpu/);
  });

  it('gives the package back the utilities that it misses on new versions of Node', () => {
    let seen: unknown;
    const loader = {
      find: () => 'there',
      load() {
        const { isNullOrUndefined } = util as unknown as Record<string, (value: unknown) => boolean>;
        seen = [isNullOrUndefined!(null), isNullOrUndefined!(0)];
        return { getBackend: () => 'tensorflow' };
      },
    };
    expect(() => tfjsNodeKit(loader)).not.to.throw();
    expect(seen).to.deep.equal([true, false]);
  });

  it('trains like the built-in engine on the operations it is given', async () => {
    const tf = await loadTensorFlow();
    const standIn = Object.assign(Object.create(tf), { getBackend: () => 'tensorflow' });
    const manifest = smallManifest();
    const engine = engineOf(tfjsNodeKit({ find: () => 'there', load: () => standIn }), manifest);
    const embedded = await createEngine(manifest);
    const task = { weights: engine.init('s'), round: 1, seed: 's' };
    expect(task.weights).to.deep.equal(embedded.init('s'));
    const [ours, theirs] = [engine.train(clouds(60, 'a'), task), embedded.train(clouds(60, 'a'), task)];
    for (const [i, weight] of ours.weights.entries()) expect(weight).to.be.closeTo(theirs.weights[i]!, 1e-5);
  });
});

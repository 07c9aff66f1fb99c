/** The contract trainer/1 seen from the host, against a trainer that shares no code with it. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parseCommand } from '../../../../client/training/external/command.ts';
import { ExternalTrainer, type ExternalTrainerOptions } from '../../../../client/training/external/externalTrainer.ts';
import { expectError } from '../../support/expectError.ts';
import { clouds, smallManifest } from '../../support/smallFederation.ts';

const SCRIPT = fileURLToPath(new URL('./trainers/node.mjs', import.meta.url));
const DIMENSION = 67;

describe('external trainer', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'assay-external-'));
  const open: ExternalTrainer[] = [];
  let log: string[] = [];
  afterEach(async () => {
    log = [];
    for (const trainer of open.splice(0)) await trainer.close();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function start(faults: string, options: Partial<ExternalTrainerOptions> = {}): ExternalTrainer {
    const trainer = new ExternalTrainer({
      manifest: { ...smallManifest(), engine: 'trainer/1' },
      command: parseCommand(`'${process.execPath}' '${SCRIPT}' ${faults}`),
      train: clouds(40, 'external'),
      test: clouds(40, 'external test'),
      onLog: (line) => log.push(line),
      ...options,
    });
    open.push(trainer);
    return trainer;
  }

  /** What the trainer printed after that word: its lines may come later than its result. */
  async function said(word: string): Promise<string> {
    const line = () => log.find((one) => one.startsWith(`node.mjs: ${word} `));
    await waitFor(() => line() !== undefined);
    return line()!.slice(`node.mjs: ${word} `.length);
  }

  const weights = Float32Array.from({ length: DIMENSION }, (_, i) => i / 8);
  const task = { weights, round: 3, seed: 'external' };

  for (const mode of ['persistent', 'folder'] as const) {
    describe(mode, () => {
      it('trains from the weights it is given and hands on what the trainer keeps', async () => {
        const trainer = start('', { mode });
        expect(trainer).to.include({ engine: 'trainer/1', dimension: DIMENSION });
        const progress: number[] = [];
        const first = await trainer.train({ ...task, onProgress: ({ epoch, loss }) => progress.push(epoch, loss) });
        expect([...first.weights]).to.deep.equal(Array.from(weights, (one) => one + 0.5));
        expect(first).to.include({ samples: 40, steps: 4, loss: 0.5, accuracy: 0.75 });
        expect(first.memory).to.deep.equal({ rounds: Float32Array.of(1) });
        expect(progress).to.deep.equal([1, 0.75, 2, 0.5]);
        await waitFor(() => log.includes('node.mjs: half way'));
        const second = await trainer.train({ ...task, round: 4, memory: first.memory, previousWeights: weights });
        expect(second.memory).to.deep.equal({ rounds: Float32Array.of(2) });
        expect(weights[8], 'the given weights are not touched').to.equal(1);
        expect(await trainer.evaluate({ weights })).to.deep.equal({ samples: 40, loss: 0.5, accuracy: 0.75 });
      });

      it('tells the trainer all it needs', async () => {
        const manifest = smallManifest({ algorithm: { kind: 'fedprox', proximal: 0.1 } });
        const trainer = start('shows', { mode, manifest: { ...manifest, engine: 'trainer/1' } });
        await trainer.train({ ...task, localSteps: 7, serverLearningRate: 0.5, previousWeights: weights });
        const told = JSON.parse(await said('task'));
        expect(told).to.include({ protocol: 'trainer/1', verb: 'train', round: 3 });
        expect(told.files).to.deep.equal(['model', 'previous']);
        expect(told.seed).to.match(/^[0-9a-f]{64}$/);
        expect(told.config).to.include({ localSteps: 7, serverLearningRate: 0.5, batchSize: 16, learningRate: 0.1 });
        expect(told.manifest.tensors).to.deep.equal(smallManifest().tensors);
        expect(told.manifest).to.have.all.keys('task', 'model', 'tensors', 'training', 'data', 'engine');
      });

      it('shows it an allow-list of the environment and no secret', async () => {
        const environment = { ...process.env, ASSAY_PASSWORD: 'hunter2', AWS_SECRET_ACCESS_KEY: 'x', WANTED: 'y' };
        const trainer = start('shows', { mode, environment, showEnvironment: ['WANTED'] });
        await trainer.train(task);
        const names = (await said('environment')).split(' ');
        expect(names).to.include.members(['PATH', 'OMP_NUM_THREADS', 'WANTED']);
        expect(names).not.to.include('ASSAY_PASSWORD').and.not.to.include('AWS_SECRET_ACCESS_KEY');
        await expectError(() => start('', { showEnvironment: ['ASSAY_PASSWORD'] }), 'TRAINER_ENVIRONMENT', /ASSAY_/);
      });

      it('asks for initial weights of a seed', async () => {
        const trainer = start('', { mode });
        const [one, same, other] = [await trainer.init('a'), await trainer.init('a'), await trainer.init('b')];
        expect(one).to.have.length(DIMENSION);
        expect([...same]).to.deep.equal([...one]);
        expect(other[0]).not.to.equal(one[0]);
      });

      const refused: readonly (readonly [string, string, RegExp])[] = [
        ['missing', 'TRAINER_RESULT', /missing: output\/kernel; not in the manifest: nothing/],
        ['extra', 'TRAINER_RESULT', /missing: nothing; not in the manifest: zzz/],
        ['renamed', 'TRAINER_RESULT', /missing: hidden1\/bias; not in the manifest: hidden1\/Bias/],
        ['transposed', 'TRAINER_RESULT', /hidden1\/kernel in another shape\n.*\[4, 8\]\n.*\[8, 4\]/],
        ['f64', 'TRAINER_RESULT', /of dtype F32\n.*F64/],
        ['nan', 'WEIGHTS_NOT_FINITE', /hidden1\/kernel\[0, 3\]\n.*\n.*NaN/],
        ['infinite', 'WEIGHTS_NOT_FINITE', /hidden1\/kernel\[0, 3\]\n.*\n.*Infinity/],
        ['truncated', 'TRAINER_RESULT', /bytes of tensors/],
        ['noWeights', 'TRAINER_RESULT', /came without weights/],
        ['stale', 'TRAINER_RESULT', /computed from another model/],
        ['old', 'TRAINER_RESULT', /answers another task/],
        ['otherVerb', 'TRAINER_RESULT', /answers another question/],
        ['otherProtocol', 'TRAINER_RESULT', /of another protocol\n.*trainer\/1.*\n.*trainer\/9/],
        ['noSamples', 'TRAINER_RESULT', /wrong at samples/],
        ['huge', mode === 'folder' ? 'TRAINER_RESULT' : 'TRAINER_PROTOCOL', /at most \d+ bytes/],
        ['refuses', 'TRAINER_FAILED', /could not train\n.*\n.*no samples of class 3/],
        ['crashes', 'TRAINER_FAILED', /exit status 3; it last said:\n.*out of memory, say/],
      ];
      // What is in a result is judged in one place, whichever way it came.
      const ways =
        mode === 'persistent' ? refused : refused.filter(([fault]) => /truncated|huge|refuses|crashes/.test(fault));
      for (const [fault, code, text] of ways) {
        it(`refuses: ${fault}`, async () => {
          await expectError(() => start(fault, { mode }).train(task), code, text);
        });
      }

      it('refuses an accuracy above one', async () => {
        await expectError(() => start('sure', { mode }).evaluate({ weights }), 'TRAINER_RESULT', /wrong at accuracy/);
      });

      it('ends one that shows no sign of life, and everything it started', async () => {
        // Longer than it takes to start on a busy machine: its first sign of life is not awaited in vain.
        for (const fault of ['hangs', 'deaf']) {
          const trainer = start(fault, { mode, limits: { idleSeconds: 1.5, graceSeconds: 0.2 } });
          await expectError(() => trainer.train(task), 'TRAINER_TIMEOUT', /no sign of life for 1.5 s/);
          const child = Number(await said('child'));
          await waitFor(() => !isAlive(child));
          log = [];
        }
      });

      it('ends one that is alive but never done', async () => {
        // Its lines keep it alive beyond the first limit.
        const trainer = start('chatty', { mode, limits: { idleSeconds: 1.5, totalSeconds: 2.5, graceSeconds: 1 } });
        await expectError(() => trainer.train(task), 'TRAINER_TIMEOUT', /not done after 2.5 s[\s\S]*still at it/);
      });

      it('ends with its owner: a task at work fails, nothing stays on the disk', async () => {
        const workFolder = join(folder, `work-${mode}`);
        const trainer = start('hangs', { mode, workFolder, limits: { graceSeconds: 0.2 } });
        const pending = expectError(() => trainer.train(task), 'TRAINER_FAILED', /closed/);
        await waitFor(() => log.some((line) => line.includes('child')));
        expect(readdirSync(workFolder)).to.include('data');
        await trainer.close();
        await pending;
        expect(existsSync(workFolder)).to.equal(false);
        await expectError(() => trainer.init('late'), 'TRAINER_FAILED', /closed/);
      });

      it('does not outlive a node that just ends', async () => {
        const owner = fileURLToPath(new URL('./trainers/owner.ts', import.meta.url));
        const { stdout } = await promisify(execFile)(process.execPath, [owner, SCRIPT, mode]);
        const child = Number(/child (\d+)/.exec(stdout)![1]);
        await waitFor(() => !isAlive(child));
      });

      it('goes on after a task that failed', async () => {
        const marker = join(folder, `once-${mode}`);
        const trainer = start(`crashesOnce=${marker}`, { mode });
        const [first, second] = await Promise.allSettled([trainer.train(task), trainer.train(task)]);
        // A persistent one is started once more and asked again; one for each task has failed.
        expect(first.status).to.equal(mode === 'persistent' ? 'fulfilled' : 'rejected');
        expect(second.status).to.equal('fulfilled');
        if (mode === 'persistent') expect(log.join('\n')).to.match(/exit status 3[\s\S]*started once more/);
      });

      it('says that a program is not there', async () => {
        const trainer = start('', { mode, command: parseCommand('no-such-trainer-anywhere --fast') });
        await expectError(() => trainer.train(task), 'TRAINER_START', /no-such-trainer-anywhere[\s\S]*ENOENT/);
      });
    });
  }

  describe('folder', () => {
    const broken: readonly (readonly [string, RegExp])[] = [
      ['silent', /wrote no result.json/],
      ['garbled', /result.json that is not JSON/],
      ['folder', /result.json as no file/],
      [`escapes to=${join(folder, 'elsewhere')}`, /result.safetensors as a link/],
    ];
    for (const [fault, text] of broken) {
      it(`refuses: ${fault.split(' ')[0]}`, async () => {
        await expectError(() => start(fault, { mode: 'folder' }).train(task), 'TRAINER_RESULT', text);
      });
    }

    it('takes no result of a process that ended badly', async () => {
      await expectError(() => start('sadEnd', { mode: 'folder' }).train(task), 'TRAINER_FAILED', /exit status 4/);
    });
  });

  describe('persistent', () => {
    it('is one process for all tasks', async () => {
      const trainer = start('', { mode: 'persistent' });
      await Promise.all([trainer.train(task), trainer.evaluate({ weights }), trainer.train(task)]);
      expect(log.filter((line) => line.includes('started once more'))).to.deep.equal([]);
      expect(trainer.mode).to.equal('persistent');
    });

    it('fails with what it last said when it crashes twice', async () => {
      await expectError(() => start('crashes', { mode: 'persistent' }).train(task), 'TRAINER_FAILED', /Traceback/);
      expect(log.filter((line) => line === 'node.mjs: Traceback: out of memory, say')).to.have.length(2);
    });

    it('refuses what is no frame, no hello, no answer', async () => {
      const text = /not a frame[\s\S]*"Load"[\s\S]*standard error/;
      await expectError(() => start('prints', { mode: 'persistent' }).train(task), 'TRAINER_PROTOCOL', text);
      const other = /speaks another protocol[\s\S]*trainer\/0/;
      await expectError(() => start('oldHello', { mode: 'persistent' }).train(task), 'TRAINER_PROTOCOL', other);
      await expectError(() => start('oddFrame', { mode: 'persistent' }).train(task), 'TRAINER_PROTOCOL', /no answer/);
    });

    it('never takes an answer to the task before', async () => {
      const trainer = start('twice', { mode: 'persistent' });
      await trainer.train(task);
      await expectError(() => trainer.train(task), 'TRAINER_RESULT', /answers another task/);
    });
  });

  describe('auto', () => {
    it('stays with one that says hello', async () => {
      const trainer = start('');
      await trainer.train(task);
      expect(trainer.mode).to.equal('persistent');
    });

    it('starts one that does not for each task, and says so', async () => {
      const trainer = start('folderOnly');
      await trainer.train(task);
      expect(trainer.mode).to.equal('folder');
      expect(log.join('\n')).to.match(/does not stay and speak frames \(exit status 1.*started for each task/);
      await trainer.train(task);
    });
  });

  it("leaves the number of local steps to the federation's algorithm", async () => {
    await expectError(() => start('').train({ ...task, localSteps: 7 }), 'LOCAL_STEPS', /under fedavg/);
  });

  it('evaluates nothing without held-out samples', async () => {
    const manifest = smallManifest();
    const train = clouds(10, 'x');
    const trainer = new ExternalTrainer({ manifest, command: parseCommand('true'), train });
    await expectError(() => trainer.evaluate({ weights }), 'NO_TEST_DATA');
    await trainer.close();
  });
});

describe('trainer command', () => {
  it('cuts a line into words as a shell does, and does nothing else a shell does', () => {
    expect(parseCommand(`python3 -u 'my "own" trainer.py' --name "a \\"b\\" \\c" x\\ y "" $HOME|*`)).to.deep.equal({
      file: 'python3',
      args: ['-u', 'my "own" trainer.py', '--name', 'a "b" \\c', 'x y', '', '$HOME|*'],
      name: 'my "own" trainer.py',
    });
    expect(parseCommand(' ./train ')).to.deep.equal({ file: './train', args: [], name: 'train' });
  });

  it('refuses nothing, and a quote that is not closed', async () => {
    for (const text of ['', '  ', "python3 'x"]) await expectError(() => parseCommand(text), 'TRAINER_COMMAND');
  });
});

/** A dead process whose parent has not asked after it still has its number, and the state Z. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const state = `/proc/${pid}/stat`;
    return !existsSync(state) || !/\) Z /.test(readFileSync(state, 'utf8'));
  } catch {
    return false;
  }
}

async function waitFor(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 6000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(holds()).to.equal(true);
}

import { expect } from 'chai';
import { mnistMlp } from '../../../client/models/presets.ts';
import { parseAlgorithm } from '../../../client/training/algorithms/algorithmChoice.ts';
import { applyTraining } from '../../../scripts/federation/trainingOptions.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('options of training', () => {
  const preset = mnistMlp();
  const trainingOf = (options: Parameters<typeof applyTraining>[1]) => applyTraining(preset, options).manifest.training;

  it('leave a preset as it is when none is given', () => {
    expect(applyTraining(preset, {})).to.deep.equal(preset);
  });

  it('replace what they name: steps instead of passes, rates, the algorithm', () => {
    const { localEpochs: _epochs, ...rest } = preset.manifest.training;
    expect(trainingOf({ localSteps: 30, learningRate: 0.02, batchSize: 8 })).to.deep.equal({
      ...rest,
      localSteps: 30,
      learningRate: 0.02,
      batchSize: 8,
    });
    expect(trainingOf({ localEpochs: 5 }).localEpochs).to.equal(5);
    const algorithm = parseAlgorithm('fedprox?proximal=0.1');
    expect(trainingOf({ algorithm }).algorithm).to.deep.equal({ kind: 'fedprox', proximal: 0.1 });
  });

  it('keep heads at home, and bring them back', () => {
    const fedper = applyTraining(preset, { algorithm: parseAlgorithm('fedper') });
    expect(fedper.manifest.training.personal).to.deep.equal({ kind: 'fedper' });
    expect(fedper.manifest.tensors.map(({ name }) => name)).to.deep.equal(['hidden1/bias', 'hidden1/kernel']);
    expect(applyTraining(fedper, {})).to.deep.equal(fedper);
    const algorithm = parseAlgorithm('fedavg');
    const again = applyTraining(fedper, { algorithm }).manifest;
    expect(again.tensors).to.deep.equal(preset.manifest.tensors);
    expect(again.training).to.deep.equal({ ...preset.manifest.training, algorithm: { kind: 'fedavg' } });
  });

  it('refuse what does not go together, and what is no algorithm', async () => {
    const algorithm = parseAlgorithm('scaffold');
    await expectError(() => trainingOf({ algorithm }), 'MANIFEST', /scaffold needs localSteps/);
    expect(trainingOf({ algorithm, localSteps: 9 }).algorithm).to.deep.equal({ kind: 'scaffold' });
    await expectError(() => trainingOf({ localEpochs: 1, localSteps: 1 }), 'MANIFEST', /one of localEpochs/);
    for (const text of [
      '',
      'magic',
      'fedprox',
      'fedprox?proximal=0',
      'fedper?epochs=1',
      'fednova?referenceSteps=1.5',
    ]) {
      await expectError(() => parseAlgorithm(text), 'ALGORITHM', /fedprox\?proximal=0\.1/);
    }
  });
});

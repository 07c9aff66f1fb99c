import { expect } from 'chai';
import fc from 'fast-check';
import { takeRows } from '../../../client/datasets/dataset.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { checkAlgorithmServer } from '../../../client/training/algorithms/checkServerStep.ts';
import { effectiveSteps } from '../../../client/training/algorithms/effectiveSteps.ts';
import type { LocalRound } from '../../../client/training/algorithms/localRound.ts';
import { localSteps } from '../../../client/training/algorithms/localSteps.ts';
import { CONTROL } from '../../../client/training/algorithms/scaffold.ts';
import { startLocalRound } from '../../../client/training/algorithms/startLocalRound.ts';
import { HEAD } from '../../../client/training/modelParts.ts';
import { createEngine, type Engine } from '../../../client/training/tfjs/engine.ts';
import type { LocalMemory, TrainingManifest } from '../../../client/training/trainer.ts';
import type { Algorithm, TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import { runs } from '../../protocol/support/arbitraries.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

/** Plain steps, no momentum, so that equations can be written down. */
function manifestOf(steps: number, change: Partial<TrainingSettings> = {}): TrainingManifest {
  const { localEpochs: _epochs, ...training } = smallManifest({
    momentum: 0,
    batchSize: 20,
    learningRate: 0.1,
  }).training;
  return { ...smallManifest(), training: { ...training, localSteps: steps, ...change } };
}

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, k) => Math.abs(value - b[k]!)));
}

const meanOf = (vectors: readonly Float32Array[]): Float32Array =>
  vectors[0]!.map((_, k) => vectors.reduce((sum, vector) => sum + vector[k]!, 0) / vectors.length);

describe('client algorithms: what their equations say', () => {
  it('effective steps are the sum of what every gradient counts under momentum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 0.99, noNaN: true }), (steps, momentum) => {
        let velocity = 0;
        let moved = 0;
        for (let k = 0; k < steps; k++) {
          velocity = momentum * velocity + 1;
          moved += velocity;
        }
        expect(effectiveSteps(steps, momentum)).to.be.closeTo(moved, 1e-9 * moved * steps);
      }),
      runs(200),
    );
  });

  it('fedprox pulls every step back to where the round started, by mu eta (w - x)', async () => {
    const data = clouds(20, 'prox');
    const plain = await createEngine(manifestOf(2));
    const once = await createEngine(manifestOf(1));
    const prox = await createEngine(manifestOf(2, { algorithm: { kind: 'fedprox', proximal: 0.5 } }));
    const task = { weights: plain.init('prox'), round: 1, seed: 's' };
    // One minibatch is the whole set: every step has the same gradient function.
    const first = once.train(data, task).weights;
    expect(
      farthest(
        (await createEngine(manifestOf(1, { algorithm: { kind: 'fedprox', proximal: 0.5 } }))).train(data, task)
          .weights,
        first,
      ),
    ).to.equal(0);
    const expected = plain.train(data, task).weights.map((w, k) => w - 0.1 * 0.5 * (first[k]! - task.weights[k]!));
    const held = prox.train(data, task).weights;
    expect(farthest(held, expected)).to.be.below(1e-6);
    expect(farthest(held, plain.train(data, task).weights)).to.be.above(1e-4);
  });

  it('scaffold: the control read off two models is the mean of the controls kept at home', async () => {
    const change: Partial<TrainingSettings> = { momentum: 0.5, algorithm: { kind: 'scaffold' } };
    const engine = await createEngine(manifestOf(5, change));
    const etaServer = 0.5;
    const reach = 0.1 * effectiveSteps(5, 0.5);
    const silos = Array.from({ length: 4 }, (_, i) => skewed(i));
    const memories: LocalMemory[] = silos.map(() => ({}));
    let weights = engine.init('scaffold');
    let previousWeights: Float32Array | null = null;
    for (let round = 1; round <= 4; round++) {
      const trained = silos.map((silo, i) => {
        const task = { weights, previousWeights, serverLearningRate: etaServer, memory: memories[i]!, round, seed: i };
        const result = engine.train(silo, task);
        memories[i] = result.memory;
        return result.weights;
      });
      const next = meanOf(trained).map((mean, k) => weights[k]! + etaServer * (mean - weights[k]!));
      const fromChain = next.map((after, k) => (weights[k]! - after) / (reach * etaServer));
      const controls = memories.map((memory) => memory[CONTROL]!);
      expect(farthest(meanOf(controls), fromChain), `round ${round}`).to.be.below(1e-4);
      expect(farthest(controls[0]!, controls[1]!), 'participants of unlike data have unlike controls').to.be.above(
        0.05,
      );
      previousWeights = weights;
      weights = next;
    }
  });

  it('scaffold and fednova find the optimum that plain averaging misses', () => {
    // f_i = h_i/2 (w - o_i)^2: the sum's optimum is sum(h o) / sum(h), not what averaged local optima give.
    const clients = [
      { h: 1, o: 0, steps: 10 },
      { h: 8, o: 1, steps: 10 },
    ];
    const optimum = 8 / 9;
    const scaffold = quadratics(clients, { kind: 'scaffold' });
    const averaged = quadratics(clients, undefined);
    expect(Math.abs(averaged - optimum)).to.be.above(0.03);
    expect(scaffold).to.be.closeTo(optimum, 1e-3);
    // Like minds of unequal speed: without normalising, the fast one pulls the model to itself.
    const unequal = [
      { h: 1, o: 0, steps: 2 },
      { h: 1, o: 1, steps: 20 },
    ];
    expect(quadratics(unequal, undefined, 0.002)).to.be.above(0.85);
    expect(quadratics(unequal, { kind: 'fednova', referenceSteps: 5 }, 0.002)).to.be.closeTo(0.5, 0.02);
  });

  it('fednova: on a constant gradient any number of steps gives the update of the reference', () => {
    for (const momentum of [0, 0.9]) {
      const updates = [1, 5, 40].map((steps) => {
        const round = startRound({ kind: 'fednova', referenceSteps: 12 }, steps, { momentum });
        return round.finish!(Float32Array.of(-0.01 * effectiveSteps(steps, momentum) * 3)).weights[0]!;
      });
      for (const update of updates) expect(update).to.be.closeTo(-0.01 * effectiveSteps(12, momentum) * 3, 1e-6);
    }
  });

  it('per-fedavg takes its gradient one inner step ahead', async () => {
    // Two equal samples: both halves of the minibatch are the same data.
    const one = takeRows(clouds(1, 'ahead'), [0]);
    const twice = takeRows(clouds(1, 'ahead'), [0, 0]);
    const inner = await createEngine(manifestOf(1, { learningRate: 0.3 }));
    const outer = await createEngine(manifestOf(1));
    const meta = await createEngine(manifestOf(1, { algorithm: { kind: 'per-fedavg', innerLearningRate: 0.3 } }));
    const weights = meta.init('ahead');
    const task = { weights, round: 1, seed: 's' };
    const ahead = inner.train(one, task).weights;
    const stepped = outer.train(one, { ...task, weights: ahead }).weights;
    const expected = weights.map((w, k) => w + (stepped[k]! - ahead[k]!));
    expect(farthest(meta.train(twice, task).weights, expected)).to.be.below(1e-6);
    expect(farthest(outer.train(twice, task).weights, expected)).to.be.above(1e-4);
    // Of two samples one gives the step ahead and the other the gradient there.
    const two = clouds(2, 'two');
    const [a, b] = [takeRows(two, [0]), takeRows(two, [1])];
    const found = meta.train(two, task).weights;
    const distances = [
      [a, b],
      [b, a],
    ].map(([first, second]) => {
      const there = inner.train(first!, task).weights;
      const moved = outer.train(second!, { ...task, weights: there }).weights;
      return farthest(
        found,
        weights.map((w, k) => w + (moved[k]! - there[k]!)),
      );
    });
    expect(Math.min(...distances)).to.be.below(1e-6);
    expect(Math.max(...distances)).to.be.above(1e-4);
  });

  it('fedper and fedrep keep the head at home: it is trained, kept, and no part of what is sent', async () => {
    const data = clouds(60, 'head');
    for (const kind of ['fedper', 'fedrep'] as const) {
      const { engine } = await personalEngine(kind, 30);
      const weights = engine.init('body');
      expect(weights.length).to.equal(4 * 8 + 8);
      const first = engine.train(data, { weights, round: 1, seed: 'mine' });
      expect(first.weights.length).to.equal(weights.length);
      expect(first.memory[HEAD]).to.have.length(8 * 3 + 3);
      const start = engine.parts.ownHead(null, 'mine');
      expect(farthest(first.memory[HEAD]!, start)).to.be.above(0.01);
      expect(farthest(engine.parts.ownHead(null, 'yours'), start), 'every participant starts with its own').to.be.above(
        0.01,
      );
      const again = engine.train(data, { weights, memory: first.memory, round: 2, seed: 'mine' });
      expect(again.loss).to.be.below(first.loss);
      expect(engine.evaluate(data, again.weights, again.memory).accuracy).to.be.above(0.8);
      await expectError(() => engine.evaluate(data, again.weights), 'NO_HEAD', /output\/kernel/);
      expect(farthest(first.weights, weights)).to.be.above(1e-3);
      const head = { ...first.memory, [HEAD]: first.memory[HEAD]!.slice(1) };
      await expectError(() => engine.train(data, { weights, memory: head, round: 2, seed: 's' }), 'WEIGHTS_LENGTH');
    }
  });

  it('fedrep trains the head on the body that came, and then the body under that head', async () => {
    const { engine, manifest } = await personalEngine('fedrep');
    const data = clouds(60, 'rep');
    const weights = engine.init('body');
    const result = engine.train(data, { weights, round: 3, seed: 'mine' });
    const start = engine.parts.join(weights, engine.parts.ownHead(null, 'mine'));
    const only = (slices: readonly { name: string }[]) => new Set(slices.map(({ name }) => name));
    const settings = { steps: 8, settings: manifest.training };
    const withHead = engine.local.run(data, {
      ...settings,
      weights: start,
      seed: ['mine', 'shuffle head', 3],
      moving: only(engine.parts.head),
    }).weights;
    expect(engine.parts.federatedOf(withHead)).to.deep.equal(weights);
    const whole = engine.local.run(data, {
      ...settings,
      weights: withHead,
      seed: ['mine', 'shuffle', 3],
      moving: only(engine.parts.federated),
    }).weights;
    expect(engine.parts.federatedOf(whole)).to.deep.equal(result.weights);
    expect(engine.parts.headOf(withHead)).to.deep.equal(result.memory[HEAD]);
  });

  it('takes local steps as asked, over several passes', async () => {
    const engine = await createEngine(manifestOf(7));
    const passes: number[] = [];
    const data = clouds(50, 'steps');
    const { steps } = engine.train(data, {
      weights: engine.init('steps'),
      round: 1,
      seed: 's',
      onProgress: ({ epoch, epochs }) => passes.push(epoch, epochs),
    });
    // Three minibatches a pass.
    expect(passes).to.deep.equal([1, 3, 2, 3, 3, 3]);
    expect(steps).to.equal(7);
  });

  it('leaves the number of steps to a device only where it changes no weight', async () => {
    const { training } = manifestOf(7);
    expect(localSteps(training, undefined, 3)).to.equal(7);
    expect(localSteps(smallManifest().training, undefined, 3)).to.equal(9);
    expect(localSteps({ ...training, algorithm: { kind: 'fednova', referenceSteps: 5 } }, 40, 3)).to.equal(40);
    expect(localSteps({ ...training, algorithm: { kind: 'fedprox', proximal: 1 } }, 2, 3)).to.equal(2);
    await expectError(() => localSteps(training, 40, 3), 'LOCAL_STEPS', /40 local steps under fedavg/);
    await expectError(() => localSteps({ ...training, algorithm: { kind: 'scaffold' } }, 7, 3), 'LOCAL_STEPS');
    await expectError(
      () => localSteps({ ...training, algorithm: { kind: 'fednova', referenceSteps: 5 } }, 0, 3),
      'LOCAL_STEPS',
    );
  });

  it('refuses scaffold where no control could be read off two models', async () => {
    const training: TrainingSettings = { ...manifestOf(7).training, algorithm: { kind: 'scaffold' } };
    checkAlgorithmServer(training, 'fedAvg');
    checkAlgorithmServer(manifestOf(7).training, 'fedAdam');
    await expectError(() => checkAlgorithmServer(training, 'fedAvgM'), 'ALGORITHM_SERVER', /Received: fedAvgM/);
  });

  it('scales the gradient of a minibatch down to its largest norm, and leaves a shorter one', async () => {
    const data = clouds(20, 'clip');
    const plain = await createEngine(manifestOf(1));
    const weights = plain.init('clip');
    const moved = (engine: Engine) => {
      const trained = engine.train(data, { weights, round: 1, seed: 's' }).weights;
      return Math.hypot(...trained.map((w, k) => w - weights[k]!)) / 0.1;
    };
    const norm = moved(plain);
    expect(moved(await createEngine(manifestOf(1, { maxGradientNorm: norm / 3 })))).to.be.closeTo(norm / 3, 1e-4);
    expect(moved(await createEngine(manifestOf(1, { maxGradientNorm: norm * 3 })))).to.be.closeTo(norm, 1e-5);
  });
});

async function personalEngine(kind: 'fedper' | 'fedrep', steps = 8) {
  const model = describeModel(smallManifest().model);
  const tensors = model.tensors
    .filter(({ name }) => !model.head.includes(name))
    .map(({ name, shape }) => ({ name, shape: [...shape] }));
  const manifest = { ...manifestOf(steps, { personal: { kind } }), tensors };
  return { engine: await createEngine(manifest), manifest };
}

/** Mostly samples of one class. */
function skewed(i: number) {
  const all = clouds(300, `skew ${i}`);
  const rows = Array.from({ length: 300 }, (_, row) => row).filter((row) => all.y[row] === i % 3 || row % 10 === 0);
  return takeRows(all, rows);
}

function startRound(
  algorithm: Algorithm | undefined,
  steps: number,
  { momentum = 0, learningRate = 0.01 } = {},
  weights = Float32Array.of(0),
  previousWeights: Float32Array | null = null,
  memory: LocalMemory = {},
): LocalRound {
  const training = { learningRate, momentum };
  return startLocalRound(algorithm, { weights, previousWeights, serverLearningRate: 1, memory, steps, training });
}

/** Where a federation of one-dimensional quadratics ends after many rounds of exact gradient steps. */
function quadratics(
  clients: readonly { h: number; o: number; steps: number }[],
  algorithm: Algorithm | undefined,
  learningRate = 0.05,
): number {
  let weights = Float32Array.of(0);
  let previous: Float32Array | null = null;
  const memories: LocalMemory[] = clients.map(() => ({}));
  for (let round = 0; round < 400; round++) {
    const ends = clients.map(({ h, o, steps }, i) => {
      const rule = startRound(algorithm, steps, { learningRate }, weights, previous, memories[i]!);
      let w = weights[0]!;
      for (let k = 0; k < steps; k++) w -= learningRate * (h * (w - o) + (rule.drift?.[0] ?? 0));
      const finished = rule.finish?.(Float32Array.of(w)) ?? { weights: Float32Array.of(w), memory: {} };
      memories[i] = finished.memory;
      return finished.weights;
    });
    previous = weights;
    weights = Float32Array.from(meanOf(ends));
  }
  return weights[0]!;
}

import { readFile, stat } from 'node:fs/promises';
import { expect } from 'chai';
import type { RoundView } from '../../../chain/convert.ts';
import { decodeSafetensors } from '../../../client/export/safetensors.ts';
import { loadClientKernels } from '../../../client/node/clientKernels.ts';
import type { ParticipantContext } from '../../../client/node/context.ts';
import { PERSONAL_MODEL_FILE } from '../../../client/node/personalModel.ts';
import { readSubmission, writeSubmission } from '../../../client/node/submissionState.ts';
import { fetchBaseModel, trainUpdate } from '../../../client/node/trainUpdate.ts';
import type { LocalMemory, Trainer, TrainTask } from '../../../client/training/trainer.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { encodeModel, viewInt16 } from '../../../protocol/encoding/vectors.ts';
import type { FetchWish } from '../../../storage/payloadAccess.ts';
import { expectError } from '../support/expectError.ts';
import {
  DIMENSION,
  LAYOUT,
  MODEL,
  MODEL_ROOT,
  PUBLISHER,
  type StandIn,
  standInFederation,
} from '../support/standInFederation.ts';

describe('client node: from the base model to a stored update', () => {
  let federation: StandIn;
  beforeEach(async () => {
    federation = await standInFederation();
  });
  afterEach(() => federation.close());

  const viewOf = (number: number, opening = number) => ({ ...federation.chain.view, number, opening }) as RoundView;
  const train = (number: number, change: Partial<ParticipantContext> = {}, previous: Int32Array | null = null) =>
    trainUpdate({ ...federation.context, ...change }, viewOf(number), MODEL, previous);

  /** A trainer that notes its tasks and changes nothing. */
  const recorder = (seen: TrainTask[], keep: (task: TrainTask) => LocalMemory = () => ({})): Trainer => ({
    ...federation.context.trainer,
    train: async (task) => {
      seen.push(task);
      return {
        weights: task.weights.slice(),
        memory: keep(task),
        samples: 1,
        steps: 1,
        loss: 0,
        accuracy: 0,
        seconds: 0,
      };
    },
  });

  it('what it returns is on the disk: the payload under its root, the salt, the rounding error', async () => {
    const { store, state } = federation;
    const submission = await train(2);
    expect(await readSubmission(state)).to.deep.equal(submission);
    expect(submission).to.include({ round: 2, opening: 2, baseModelRoot: MODEL_ROOT, stage: 'stored' });
    const { root, normSq } = commitUpdate(await store.readAll(submission.cid), LAYOUT);
    expect({ root, normSq }).to.deep.equal({ root: submission.root, normSq: submission.normSq });
  });

  it('gives the same update with the kernels as in plain TypeScript', async () => {
    const plain = await train(2);
    const kernels = loadClientKernels();
    const { root, normSq, cid } = await train(2, { kernels });
    expect({ root, normSq, cid }).to.deep.equal({ root: plain.root, normSq: plain.normSq, cid: plain.cid });
    expect(await fetchBaseModel({ ...federation.context, kernels }, viewOf(1))).to.deep.equal(MODEL);
  });

  it('each update has a salt of its own that nobody can guess, also the same update of the same round', async () => {
    const salts = new Set<string>();
    for (const round of [1, 1, 2, 3]) salts.add((await train(round)).salt);
    expect(salts.size).to.equal(4);
  });

  it('over rounds nothing is lost to rounding: what one update leaves out, the next brings', async () => {
    const left = new Float64Array(DIMENSION);
    const trainer = {
      ...federation.context.trainer,
      train: async ({ weights }: TrainTask) => {
        const trained = weights.map((weight, i) => weight + (i + 0.5) / 2 ** 16 / DIMENSION);
        trained.forEach((weight, i) => {
          left[i]! += (weight - weights[i]!) * 2 ** 16;
        });
        return { weights: trained, memory: {}, samples: 1, steps: 1, loss: 0, accuracy: 0, seconds: 0 };
      },
    };
    for (let round = 1; round <= 12; round++) {
      const submission = await train(round, { trainer });
      const sent = viewInt16(await federation.store.readAll(submission.cid));
      for (let i = 0; i < DIMENSION; i++) left[i]! -= sent[i]!;
      await writeSubmission(federation.state, { ...submission, stage: 'revealed' });
    }
    // Without what was left out coming back, twelve independent roundings miss by more than one step somewhere.
    expect(Math.max(...left.map(Math.abs))).to.be.lessThan(1.01);
  });

  it('an update that was never revealed leaves no trace in the next one', async () => {
    const first = await train(1);
    expect(first.residualBefore).to.equal(null);
    expect((await train(2)).residualBefore).to.equal(null);
    await writeSubmission(federation.state, { ...(await train(3)), stage: 'revealed' });
    expect((await train(4)).residualBefore).to.equal('residual-3-3.f32');
  });

  it('scaffold is told the model of the round before, from the chain, and the server step between them', async () => {
    const seen: TrainTask[] = [];
    const before = MODEL.map((weight) => weight - 2 ** 23);
    const root = commitModel(before, LAYOUT);
    const { cid } = await federation.store.put(encodeModel(before, LAYOUT));
    const { training } = federation.context.manifest;
    const { localEpochs: _epochs, ...steps } = training;
    const manifest = {
      ...federation.context.manifest,
      training: { ...steps, localSteps: 5, algorithm: { kind: 'scaffold' as const } },
    };
    const asked: unknown[] = [];
    const chain = Object.assign(Object.create(federation.context.federation as object), {
      round: async (number: number) => ({ ...viewOf(number), baseModelRoot: root }),
      locateModel: async (...args: unknown[]) => {
        asked.push(args);
        return { round: 0, cid, publisher: null };
      },
    }) as ParticipantContext['federation'];
    const trainer = recorder(seen);
    await train(1, { manifest, trainer, federation: chain });
    await train(2, { manifest, trainer, federation: chain });
    expect(seen[0]).to.include({ previousWeights: null, serverLearningRate: 1, memory: null });
    expect(asked).to.deep.equal([[root, 1]]);
    expect(seen[1]!.previousWeights!.map((weight, k) => seen[1]!.weights[k]! - weight)).to.deep.equal(
      new Float32Array(DIMENSION).fill(0.5),
    );
    await train(2, { trainer, federation: chain });
    expect(seen[2]!.previousWeights, 'nobody else asks for it').to.equal(null);
  });

  it('what training keeps comes back in the next round when the update was sent, and leaves no trace when not', async () => {
    const seen: TrainTask[] = [];
    const trainer = recorder(seen, ({ round }) => ({ control: Float32Array.of(Number(round), 0.5) }));
    const first = await train(1, { trainer, localSteps: 9 });
    expect(seen[0]!.localSteps, "the device's own number").to.equal(9);
    await writeSubmission(federation.state, { ...first, stage: 'revealed' });
    const second = await train(2, { trainer });
    expect(seen.map(({ memory }) => memory)).to.deep.equal([null, { control: Float32Array.of(1, 0.5) }]);
    expect(second).to.include({ memoryBefore: 'memory-1-1.safetensors', memoryAfter: 'memory-2-2.safetensors' });
    // Round 2 was stored and never revealed: round 3 goes on from round 1.
    await train(3, { trainer });
    expect(seen[2]!.memory).to.deep.equal({ control: Float32Array.of(1, 0.5) });
  });

  it('a model of its own is written, measured and kept beside what training keeps', async () => {
    const seen: TrainTask[] = [];
    const whole = new Float32Array(DIMENSION).fill(0.25);
    const asked: unknown[] = [];
    const trainer: Trainer = {
      ...recorder(seen, () => ({ control: Float32Array.of(7) })),
      personalise: async ({ settings, memory }) => {
        asked.push([settings.method, Object.keys(memory ?? {}).sort()]);
        const after = { loss: 0.1, accuracy: 0.9, samples: 10 };
        return { weights: whole, memory: { personal: whole }, before: null, after };
      },
    };
    const personalise = { method: 'ditto' as const, epochs: 1, strength: 0.1 };
    await writeSubmission(federation.state, { ...(await train(1, { trainer, personalise })), stage: 'revealed' });
    await train(2, { trainer, personalise });
    expect(asked).to.deep.equal([
      ['ditto', ['control']],
      ['ditto', ['control', 'personal']],
    ]);
    expect(seen[1]!.memory).to.deep.equal({ control: Float32Array.of(7), personal: whole });
    const path = federation.state.file(PERSONAL_MODEL_FILE);
    const written = decodeSafetensors(await readFile(path));
    expect(written.weights).to.deep.equal(whole);
    expect(written.metadata).to.include({ method: 'ditto', round: '2' });
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect(federation.events.filter(({ type }) => type === 'personalised')).to.have.length(2);
  });

  it("an attack sees the federation's last step, from the second round on", async () => {
    const seen: (readonly number[] | null)[] = [];
    const attack = {
      name: 'spy',
      summary: '',
      corruptUpdate: ({ update, lastStep }: { update: Float32Array; lastStep: Float32Array | null }) => {
        seen.push(lastStep === null ? null : [...lastStep]);
        return update;
      },
    };
    await train(1, { attack });
    await train(
      2,
      { attack },
      MODEL.map((weight) => weight - 2 ** 23),
    );
    expect(seen).to.deep.equal([null, Array(DIMENSION).fill(0.5)]);
  });

  it('the base model is asked for at its length, its publisher first, and checked against the root', async () => {
    const wishes: FetchWish[] = [];
    const context = {
      ...federation.context,
      payloads: {
        ...federation.context.payloads,
        fetch: async (_: string, wish: FetchWish) => {
          wishes.push(wish);
        },
      },
    };
    expect(await fetchBaseModel(context, viewOf(1))).to.deep.equal(MODEL);
    expect(wishes).to.deep.equal([{ expectedBytes: LAYOUT.chunkCount * LAYOUT.chunkSize * 4, owner: PUBLISHER }]);
    const other = { ...viewOf(1), baseModelRoot: `0x${'12'.repeat(32)}` } as RoundView;
    await expectError(() => fetchBaseModel(context, other), 'MODEL_ROOT');
  });
});

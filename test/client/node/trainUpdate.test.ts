import { expect } from 'chai';
import type { RoundView } from '../../../chain/convert.ts';
import { loadClientKernels } from '../../../client/node/clientKernels.ts';
import type { ParticipantContext } from '../../../client/node/participate.ts';
import { readSubmission, writeSubmission } from '../../../client/node/submissionState.ts';
import { fetchBaseModel, trainUpdate } from '../../../client/node/trainUpdate.ts';
import type { TrainTask } from '../../../client/training/trainer.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { viewInt16 } from '../../../protocol/encoding/vectors.ts';
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

import { expect } from 'chai';
import type { RoundView } from '../../../chain/convert.ts';
import type { ParticipantContext } from '../../../client/node/context.ts';
import { participate } from '../../../client/node/participate.ts';
import { readSubmission } from '../../../client/node/submissionState.ts';
import { encodeModel } from '../../../protocol/encoding/vectors.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { standInTrainer } from '../../scenarios/support/standInTrainer.ts';
import { until } from '../../scenarios/support/world.ts';
import { expectError } from '../support/expectError.ts';
import { DIMENSION, LAYOUT, MODEL, MODEL_ROOT, type StandIn, standInFederation } from '../support/standInFederation.ts';

const failure = (code: string): AssayError => new AssayError(code, { summary: `made up: ${code}` });

describe('client node: what it does about what it sees', () => {
  let federation: StandIn;
  let end: () => Promise<void>;
  beforeEach(async () => {
    federation = await standInFederation();
    end = async () => undefined;
  });
  afterEach(async () => {
    await end();
    await federation.close();
  });

  /** Starts the node; it is stopped after the test. */
  function start(change: Partial<ParticipantContext> = {}): Promise<void> {
    const controller = new AbortController();
    const ended = participate({ ...federation.context, signal: controller.signal, ...change });
    ended.catch(() => undefined);
    end = async () => {
      controller.abort();
      await ended.catch(() => undefined);
    };
    return ended;
  }
  const show = (view: Partial<RoundView>) => {
    federation.chain.view = { ...federation.chain.view, ...view };
  };
  const types = () => federation.events.map(({ type }) => type).filter((type) => type !== 'training');
  const seen = (type: string) => until(`${type} after ${types()}`, () => types().includes(type as never), 10);
  /** Until the node has looked at the round that often. */
  const looks = (count: number) => {
    let left = count;
    const { round } = federation.context.federation;
    Object.assign(federation.context.federation, {
      round: async (number: number) => {
        left--;
        return round(number);
      },
    });
    return until(`${count} looks`, () => left <= 0, 10);
  };

  it('a base model that nobody serves is waited for, with one word about it', async () => {
    let away = 4;
    const fetch = async () => {
      if (away-- > 0) throw failure('PAYLOAD_UNAVAILABLE');
    };
    start({ payloads: { ...federation.context.payloads, fetch } });
    await seen('committed');
    expect(types()).to.deep.equal(['waiting', 'modelFetched', 'trained', 'stored', 'committed']);
  });

  for (const [what, spoil] of [
    ['length', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 4)],
    ['padding', (bytes: Uint8Array) => bytes.fill(1, bytes.length - 1)],
    ['root', (bytes: Uint8Array) => bytes.fill(1, 0, 1)],
  ] as const) {
    it(`a base model of the wrong ${what} is refused once; the node stays for the next round`, async () => {
      const { chain, store, events } = federation;
      const right = chain.modelCid;
      chain.modelCid = (await store.put(spoil(encodeModel(MODEL, LAYOUT)))).cid;
      start();
      await seen('modelRefused');
      await looks(5);
      expect(types()).to.deep.equal(['modelRefused']);
      chain.modelCid = right;
      show({ number: 2, opening: 2 });
      await seen('committed');
      expect(events.filter(({ type }) => type === 'modelRefused')).to.have.length(1);
    });
  }

  it('what only its operator can mend ends it', async () => {
    const fetch = async () => {
      throw failure('DISK_FULL');
    };
    await expectError(() => start({ payloads: { ...federation.context.payloads, fetch } }), 'DISK_FULL');
  });

  it('a race that was lost is looked at again: the same update is sent, not trained anew', async () => {
    federation.chain.refusals = [failure('REVERT_WrongPhase')];
    start();
    await seen('committed');
    expect(types()).to.deep.equal(['modelFetched', 'trained', 'stored', 'committed']);
  });

  it('what the contract would not take is not trained for: one word about each reason, none about a race', async () => {
    const { chain, events } = federation;
    chain.refusesCommits = failure('REVERT_WrongPhase');
    start();
    await looks(5);
    expect(types()).to.deep.equal([]);
    for (const [refusal, told] of [
      ['NotExpected', /next round: this account joined after the first commit of round 1/],
      ['StakeTooLow', /start this node again and it tops up/],
    ] as const) {
      chain.refusesCommits = failure(`REVERT_${refusal}`);
      await until(refusal, () => events.some((event) => event.type === 'waiting' && told.test(event.reason)), 10);
      await looks(5);
    }
    chain.refusesCommits = undefined;
    await seen('committed');
    expect(types()).to.deep.equal(['waiting', 'waiting', 'modelFetched', 'trained', 'stored', 'committed']);
  });

  it('an update that was not ready when the commits closed is missed, which is said once', async () => {
    const { chain, context, events } = federation;
    const train: typeof context.trainer.train = async (task) => {
      if (Number(task.round) === 1) {
        show({ phase: 'reveal' });
        chain.refusals = [failure('REVERT_WrongPhase')];
      }
      return standInTrainer(DIMENSION).train(task);
    };
    start({ trainer: { ...context.trainer, train } });
    await seen('missed');
    await looks(5);
    show({ number: 2, opening: 2, phase: 'open' });
    await seen('committed');
    expect(types()).to.deep.equal([
      ...['modelFetched', 'trained', 'stored', 'missed'],
      ...['modelFetched', 'trained', 'stored', 'committed'],
    ]);
    const [missed] = events.filter((event) => event.type === 'missed');
    expect(missed).to.deep.include({ round: 1 });
    expect(missed!.reason).to.match(/not ready when the commits closed, which are open for 60 s/);
  });

  it('a commit whose answer was lost is not missed', async () => {
    const { chain } = federation;
    chain.refusals = [failure('REVERT_WrongPhase')];
    const { hasCommitted } = federation.context.federation;
    let asked = 0;
    Object.assign(federation.context.federation, {
      hasCommitted: async (...about: Parameters<typeof hasCommitted>) => ++asked > 1 || hasCommitted(...about),
    });
    start();
    await seen('stored');
    await looks(3);
    show({ number: 2, opening: 2, phase: 'challenge' });
    await looks(5);
    expect(types()).to.deep.equal(['modelFetched', 'trained', 'stored']);
  });

  it('a round that was opened again is trained anew, and nothing of the old commit is sent', async () => {
    federation.chain.refusals = [failure('REVERT_WrongPhase')];
    start();
    await seen('committed');
    const before = await readSubmission(federation.state);
    const [sealed] = federation.chain.committed.values();
    federation.chain.committed.clear();
    show({ opening: 2 });
    await until('the second commit', () => federation.chain.committed.size === 1, 10);
    await until('the second report', () => types().filter((type) => type === 'committed').length === 2, 10);
    const after = await readSubmission(federation.state);
    expect(after).to.include({ round: 1, opening: 2 });
    expect(after!.salt).to.not.equal(before!.salt);
    expect([...federation.chain.committed.values()]).to.not.include(sealed);
  });

  describe('a commit that was on its way when the round was opened again', () => {
    /** The commit lands in the second opening, whose commits are closed with it. */
    const overtaken = (change: Partial<RoundView>) => {
      const { commitUpdate } = federation.context.federation;
      let first = true;
      Object.assign(federation.context.federation, {
        commitUpdate: (...sent: Parameters<typeof commitUpdate>) => {
          if (first) show({ opening: 2, phase: 'reveal', ...change });
          first = false;
          return commitUpdate(...sent);
        },
      });
    };

    it('is revealed there where the model is the same', async () => {
      overtaken({});
      start();
      await seen('revealed');
      expect(types()).to.deep.equal(['modelFetched', 'trained', 'stored', 'committed', 'revealed']);
      const submission = await readSubmission(federation.state);
      expect(submission).to.include({ opening: 2, stage: 'revealed' });
      expect(federation.chain.revealed.get(1)!.salt).to.equal(submission!.salt);
    });

    it('costs the round where it is another, and not the node', async () => {
      const { chain, events } = federation;
      overtaken({ baseModelRoot: `0x${'77'.repeat(32)}` });
      start();
      await seen('missed');
      await looks(5);
      show({ number: 2, opening: 3, phase: 'open', baseModelRoot: MODEL_ROOT });
      await until('the next commit', () => chain.committed.has(2), 10);
      expect(chain.revealed.size).to.equal(0);
      const missed = events.filter((event) => event.type === 'missed');
      expect(missed).to.have.length(1);
      expect(missed[0]!.reason).to.match(/after the round was opened again, from another model/);
    });
  });

  it('a payload is handed to others after its commit is on the chain, so that nobody commits to it first, and before the reveal', async () => {
    const { chain, context } = federation;
    const shared: string[] = [];
    const share = async (cid: string) => {
      expect([chain.committed.size, chain.revealed.size]).to.deep.equal([1, 0]);
      shared.push(cid);
    };
    start({ payloads: { ...context.payloads, share } });
    await seen('committed');
    await looks(3);
    expect(shared).to.deep.equal([]);
    show({ phase: 'reveal' });
    await seen('revealed');
    expect(shared).to.deep.equal([(await readSubmission(federation.state))!.cid]);
  });

  it('a reveal that the chain has and the node forgot is written down, not sent again', async () => {
    const { chain } = federation;
    start();
    await seen('committed');
    chain.revealed.set(1, { root: `0x${'00'.repeat(32)}`, salt: `0x${'00'.repeat(32)}` });
    show({ phase: 'reveal' });
    await until('the stage', async () => (await readSubmission(federation.state))?.stage === 'revealed', 10);
    expect(types()).to.not.include('revealed');
  });

  it('a commit whose state folder is lost: it says what is due and ends, instead of waiting for the penalty', async () => {
    federation.chain.committed.set(1, `0x${'12'.repeat(32)}`);
    show({ phase: 'reveal' });
    await expectError(() => start(), 'COMMITMENT_LOST', /start the node with that folder before the reveal deadline/);
    expect(types()).to.deep.equal(['missed']);
  });

  it("ends when the federation's last round is final, and not before", async () => {
    show({ number: 2, phase: 'challenge' });
    const ended = start();
    await looks(5);
    expect(types()).to.deep.equal([]);
    show({ number: 3, phase: 'aggregate' });
    await looks(5);
    expect(types()).to.deep.equal([]);
    show({ phase: 'challenge' }); // it may still be voided, and its updates be asked for
    await looks(5);
    expect(types()).to.deep.equal([]);
    federation.chain.lastFinal = 3;
    await ended;
    expect(federation.events).to.deep.equal([{ type: 'ended', rounds: 3 }]);
  });
});

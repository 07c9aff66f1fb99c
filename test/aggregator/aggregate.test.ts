import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { aggregate } from '../../aggregator/aggregate.ts';
import type { AggregatorContext } from '../../aggregator/context.ts';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { finalizeNext } from '../../aggregator/finalizeNext.ts';
import { MissedReveals } from '../../aggregator/missedReveals.ts';
import type { RoundView } from '../../chain/convert.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidFromBytes, cidToBytes } from '../../protocol/encoding/cid.ts';
import { encodeModel, encodeUpdate } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { referenceEngine } from '../../protocol/round/engine/referenceEngine.ts';
import { parseEvidence } from '../../protocol/round/evidence.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { expectError } from '../client/support/expectError.ts';
import { until } from '../scenarios/support/world.ts';
import { learning, MOMENTUM } from './support/rounds.ts';

const PARAMETERS = { ...learning(300, 'fedavg', 0, MOMENTUM), totalRounds: 3, aggregateWindowSeconds: 60 };
const LAYOUT = layoutOf(PARAMETERS);
const ACCOUNT: Hex = `0x${'Aa'.repeat(20)}`;
const PARTICIPANT: Hex = `0x${'Dd'.repeat(20)}`;
const HASH: Hex = `0x${'77'.repeat(32)}`;
const MODEL = Int32Array.from({ length: 300 }, (_, i) => i * 1000);
const STATE = Int32Array.from({ length: 300 }, (_, i) => i * -100);
const METRICS = { accuracy: 0.75, loss: 0.5, samples: 40 };

describe('aggregator: what it does about what it sees', () => {
  let folder: string;
  let store: PayloadStore;
  let end: () => Promise<void>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-aggregate-'));
    store = await openPayloadStore(folder);
    end = async () => undefined;
  });
  afterEach(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  });

  /** The second round, in this account's turn, after a round whose server state and evidence are as told. */
  async function secondRound(spoil: 'nothing' | 'state' | 'stateLength' | 'stateCid' | 'evidence' | 'model') {
    const put = async (bytes: Uint8Array) => (await store.put(bytes)).cid;
    const right = await put(encodeModel(STATE, LAYOUT));
    const stateBytes = encodeModel(spoil === 'state' ? MODEL : STATE, LAYOUT);
    const state = await put(spoil === 'stateLength' ? stateBytes.subarray(0, 1024) : stateBytes);
    const evidenceOf = (stateCid: string | null) =>
      new TextEncoder().encode(
        JSON.stringify({
          format: 'assay-evidence/2',
          chainId: 31337,
          federation: ACCOUNT.toLowerCase(),
          round: 1,
          baseModelRoot: HASH,
          modelRoot: HASH,
          stateRoot: HASH,
          gramRoot: HASH,
          mixingHash: HASH,
          stateCid,
          submissions: [],
          gramCid: null,
          gram: null,
          mixing: null,
          metrics: null,
        }),
      );
    const evidence =
      spoil === 'evidence' ? new TextEncoder().encode('{') : evidenceOf(spoil === 'stateCid' ? null : state);
    const location = {
      round: 1,
      cid: await put(encodeModel(spoil === 'model' ? STATE : MODEL, LAYOUT)),
      publisher: PARTICIPANT,
      stateRoot: commitModel(STATE, LAYOUT),
      evidenceCid: await put(evidence),
    };
    const mended = {
      ...location,
      cid: await put(encodeModel(MODEL, LAYOUT)),
      evidenceCid: await put(evidenceOf(right)),
    };
    return { location, mended };
  }

  async function start(spoil: Parameters<typeof secondRound>[0], change: Partial<AggregatorContext> = {}) {
    const { location, mended } = await secondRound(spoil);
    const payload = encodeUpdate(
      Int16Array.from({ length: 300 }, (_, i) => (i % 9) - 4),
      LAYOUT,
    );
    const update = { index: 4, participant: PARTICIPANT, cid: cidToBytes((await store.put(payload)).cid) };
    const chain = { location, located: 0, published: [] as Publication[] };
    const view = {
      number: 2,
      opening: 2,
      phase: 'aggregate',
      leader: ACCOUNT,
      seed: HASH,
      voidedBitmap: 0n,
      accumulator: HASH,
      deadline: 1000,
      committed: 1,
      revealed: 1,
      baseModelRoot: commitModel(MODEL, LAYOUT),
    };
    const federation = {
      address: ACCOUNT,
      connection: { chainId: 31337, publicClient: { getBlockNumber: async () => 0n } },
      events: async () => [],
      parameters: PARAMETERS,
      currentRound: async () => 2,
      lastFinalRound: async () => 0,
      round: async (number: number) => (number === 2 ? view : { phase: 'challenge', deadline: 2000 }),
      chainTime: async () => 900,
      submissions: async () => [{ ...update, ...commitUpdate(payload, LAYOUT) }],
      locateModel: async () => {
        chain.located++;
        return chain.location;
      },
      publishRound: async (_: unknown, __: number, publication: Publication) => {
        chain.published.push(publication);
        view.phase = 'challenge';
        return { hash: HASH, gasUsed: 5n };
      },
    };
    const events: AggregatorEvent[] = [];
    const controller = new AbortController();
    const ended = aggregate({
      federation,
      signer: { account: { address: ACCOUNT } },
      state: { readJson: async () => undefined },
      engine: referenceEngine,
      payloads: { store, fetch: async () => undefined, share: async () => undefined },
      report: (event: AggregatorEvent) => events.push(event),
      signal: controller.signal,
      pollMs: 2,
      ...change,
    } as unknown as AggregatorContext);
    ended.catch(() => undefined);
    end = async () => {
      controller.abort();
      await ended.catch(() => undefined);
    };
    const seen = (type: AggregatorEvent['type']) =>
      until(
        `${type} after ${events.map((event) => event.type)}`,
        () => events.find((event) => event.type === type),
        10,
      );
    return { chain, mended, events, ended, seen };
  }

  for (const [spoil, message] of [
    ['model', /is not the model of the published root/],
    ['state', /is not the model of the published root/],
    ['stateLength', /2048 bytes[\s\S]*1024 bytes/],
    ['stateCid', /does not say where its server state is stored/],
    ['evidence', /evidence/],
  ] as const) {
    it(`an earlier aggregator's fault (${spoil}) is waited out: later rounds need this node`, async () => {
      const { chain, mended, seen } = await start(spoil);
      const waiting = (await seen('waiting')) as { reason: string };
      expect(waiting.reason)
        .to.match(/^with round 2, which cannot be published now: /)
        .and.match(message);
      chain.location = mended;
      await seen('published');
      expect(chain.published).to.have.length(1);
    });
  }

  it('such a fault is said once, however often it is met', async () => {
    const { chain, events } = await start('state');
    await until('the third attempt', () => chain.located > 2, 10);
    expect(events.filter(({ type }) => type === 'waiting')).to.have.length(1);
  });

  it('what only its operator can mend ends it', async () => {
    const evaluate = async () => {
      throw new AssayError('DISK_FULL', { summary: 'made up' });
    };
    const { ended, chain } = await start('nothing', { evaluate });
    await expectError(() => ended, 'DISK_FULL');
    expect(chain.published).to.deep.equal([]);
  });

  it('the evidence it publishes says what it used, computed and measured', async () => {
    const { chain, seen } = await start('nothing', { evaluate: async () => METRICS });
    const published = (await seen('published')) as Extract<AggregatorEvent, { type: 'published' }>;
    expect(published).to.deep.include({ round: 2, updates: 1, payloadBytes: 1024, metrics: METRICS, gasUsed: 5n });
    const [{ evidenceCid, modelCid, modelRoot, stateRoot } = {} as Publication] = chain.published;
    expect(cidFromBytes(modelCid)).to.equal(published.modelCid);
    const evidence = parseEvidence(await store.readAll(cidFromBytes(evidenceCid)));
    expect(evidence).to.deep.include({
      round: 2,
      chainId: 31337,
      metrics: METRICS,
      modelRoot,
      stateRoot,
    });
    expect(evidence.submissions.map(({ index, participant }) => [index, participant])).to.deep.equal([
      [4, PARTICIPANT],
    ]);
    expect(await store.has(evidence.stateCid!), 'the state for the next round').to.equal(true);
  });
});

describe('aggregator: making rounds final', () => {
  /** What came of one look at a federation in which round `final + 1` is as told. */
  async function look(totalRounds: number, final: number, phase: string, deadline: number) {
    const sent: number[] = [];
    const events: AggregatorEvent[] = [];
    const federation = {
      parameters: { totalRounds },
      lastFinalRound: async () => final,
      round: async () => ({ phase, deadline }),
      chainTime: async () => 1000,
      finalizeRound: async (_: unknown, round: number) => {
        sent.push(round);
        return { hash: HASH, gasUsed: 1n };
      },
    };
    const report = (event: AggregatorEvent) => events.push(event);
    const done = await finalizeNext({ federation, report } as unknown as AggregatorContext);
    return { done, sent, types: events.map(({ type }) => type) };
  }

  it('the next one, when its challenge window is over and not before', async () => {
    expect(await look(5, 2, 'challenge', 1000)).to.deep.equal({ done: false, sent: [3], types: ['finalized'] });
    expect(await look(5, 2, 'challenge', 1001)).to.deep.equal({ done: false, sent: [], types: [] });
    expect(await look(5, 2, 'aggregate', 0)).to.deep.equal({ done: false, sent: [], types: [] });
  });

  it('until the last; a federation without a last round never ends', async () => {
    expect(await look(5, 5, 'none', 0)).to.deep.equal({ done: true, sent: [], types: ['ended'] });
    expect(await look(0, 0, 'open', 0)).to.deep.equal({ done: false, sent: [], types: [] });
    expect(await look(0, 7, 'challenge', 1000)).to.deep.equal({ done: false, sent: [8], types: ['finalized'] });
  });
});

describe('aggregator: charging missed reveals', () => {
  const record = (account: number, committedRound: number, revealed: boolean) => ({
    account: `0x${String(account).repeat(40)}`,
    committedRound: BigInt(committedRound),
    committedOpening: committedRound,
    revealed,
  });
  const RECORDS = [record(0, 3, false), record(1, 3, true), record(2, 2, false), record(3, 0, false), null];

  async function charged(...views: Partial<RoundView>[]): Promise<[string, number][]> {
    const charges: [string, number][] = [];
    const federation = {
      participantCount: async () => RECORDS.length,
      participantAt: async (index: number) => RECORDS[index],
      settleMissedReveal: async () => ({ hash: HASH }),
    };
    const report = (event: AggregatorEvent) => {
      if (event.type === 'penalised') charges.push([event.participant.slice(2, 3), event.round]);
    };
    const missed = new MissedReveals({ federation, report } as unknown as AggregatorContext);
    for (const view of views)
      await missed.settle({ number: 3, opening: 3, committed: 2, revealed: 1, ...view } as RoundView);
    return charges;
  }

  it('while reveals are open only those of earlier rounds, then those of this one, each once', async () => {
    expect(await charged({ phase: 'open' }, { phase: 'commit' }, { phase: 'reveal' })).to.deep.equal([['2', 2]]);
    expect(await charged({ phase: 'aggregate' }, { phase: 'challenge' })).to.deep.equal([
      ['0', 3],
      ['2', 2],
    ]);
  });
});

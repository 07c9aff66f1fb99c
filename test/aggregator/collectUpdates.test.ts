import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Patience, UpdateCollector } from '../../aggregator/collectUpdates.ts';
import type { Federation } from '../../chain/federation.ts';
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { encodeUpdate } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import { type PayloadAccess, payloadAccess } from '../../storage/payloadAccess.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import type { PayloadSource } from '../../storage/sources/payloadSource.ts';
import { expectError } from '../client/support/expectError.ts';
import { learning } from './support/rounds.ts';

const PARAMETERS = learning(300, 'fedavg', 0);
const LAYOUT = layoutOf(PARAMETERS);
const engine = createWasmEngine({ threads: 1 });
const NEVER = new Promise<void>(() => undefined);
const NO_PATIENCE: Patience = { wait: async () => false, over: NEVER };

describe('aggregator: UpdateCollector', () => {
  let folder: string;
  let own: PayloadStore;
  let elsewhere: PayloadStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-collect-'));
    own = await openPayloadStore(join(folder, 'own'));
    elsewhere = await openPayloadStore(join(folder, 'elsewhere'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function submit(
    index: number,
    spoil: (payload: Uint8Array) => Uint8Array = (same) => same,
  ): Promise<Submission> {
    const row = Int16Array.from({ length: 300 }, (_, i) => ((i * 7 + index * 13) % 200) - 100);
    const payload = encodeUpdate(row, LAYOUT);
    const { cid } = await elsewhere.put(spoil(payload.slice()));
    const participant = `0x${String(index).padStart(40, '0')}` as const;
    return { index, participant, cid: cidToBytes(cid), ...commitUpdate(payload, LAYOUT) };
  }

  /** A collector whose only source is `elsewhere`, changed by the test. */
  function collector(change: (source: PayloadSource) => Partial<PayloadSource> = () => ({})): UpdateCollector {
    const honest: PayloadSource = { name: 'elsewhere', fetch: (cid, options) => elsewhere.read(cid, options) };
    const payloads: PayloadAccess = payloadAccess({
      store: own,
      sources: async () => [{ ...honest, ...change(honest) }],
    });
    return new UpdateCollector({ engine, payloads, federation: { parameters: PARAMETERS } as unknown as Federation });
  }

  const summary = ({ valid, excluded }: Awaited<ReturnType<UpdateCollector['collect']>>) => ({
    valid: valid.map(({ index }) => index),
    excluded: excluded.map(({ submission, reason }) => `${submission.index} ${reason}`),
  });

  it('valid updates come in participant order, whatever the order of reveals', async () => {
    const submissions = [await submit(2), await submit(0), await submit(1)];
    expect(summary(await collector().collect(submissions, NO_PATIENCE))).to.deep.equal({
      valid: [0, 1, 2],
      excluded: [],
    });
  });

  it('what the bytes disprove is invalid, with the reason: length, padding, root, norm', async () => {
    const submissions = [
      await submit(0, (payload) => payload.subarray(0, 512)),
      await submit(1, (payload) => Uint8Array.of(...payload, 0, 0)),
      await submit(2, (payload) => payload.fill(1, payload.length - 1)),
      await submit(3, (payload) => payload.fill(1, 0, 1)),
      { ...(await submit(4)), normSq: 1n },
      await submit(5),
    ];
    const collected = await collector().collect(submissions, NO_PATIENCE);
    expect(summary(collected)).to.deep.equal({
      valid: [5],
      excluded: ['0 invalid', '1 invalid', '2 invalid', '3 invalid', '4 invalid'],
    });
    expect(collected.excluded.map(({ readable }) => readable)).to.deep.equal([false, false, true, true, true]);
    const details = collected.excluded.map(({ detail }) => detail);
    expect(details[0]).to.match(/wrong length[\s\S]*1024 bytes[\s\S]*512 bytes/);
    expect(details[1]).to.match(/wrong length/);
    expect(details[2]).to.equal('its padding is not zero');
    expect(details[3]).to.match(/^its root is 0x/);
    expect(details[4]).to.match(/^its squared norm is \d+, revealed was 1$/);
  });

  it('asks again for what nobody serves, while there is time', async () => {
    const submissions = [await submit(0), await submit(1)];
    let asked = 0;
    const flaky = collector((honest) => ({
      fetch(cid, options) {
        if (++asked <= 4) throw new AssayError('PEER_UNREACHABLE', { summary: 'away' });
        return honest.fetch(cid, options);
      },
    }));
    let waits = 0;
    const patience: Patience = { wait: async () => ++waits < 100, over: NEVER };
    expect(summary(await flaky.collect(submissions, patience))).to.deep.equal({ valid: [0, 1], excluded: [] });
    expect(waits).to.equal(4);
  });

  it('out of time: unavailable, and asked anew the next time', async () => {
    const submissions = [await submit(0), await submit(1)];
    const [gone] = submissions;
    let away = true;
    const collecting = collector((honest) => ({
      fetch(cid, options) {
        if (away && cidToBytes(cid).every((byte, i) => byte === gone!.cid[i])) {
          throw new AssayError('PEER_UNREACHABLE', { summary: 'away' });
        }
        return honest.fetch(cid, options);
      },
    }));
    const first = await collecting.collect(submissions, NO_PATIENCE);
    expect(summary(first)).to.deep.equal({ valid: [1], excluded: ['0 unavailable'] });
    expect(first.excluded[0]!.detail).to.match(/elsewhere: PEER_UNREACHABLE: away/);
    away = false;
    expect(summary(await collecting.collect(submissions, NO_PATIENCE))).to.deep.equal({ valid: [0, 1], excluded: [] });
  });

  it('twenty payloads that never arrive hold up neither the others nor the turn', async () => {
    const submissions = [];
    for (let index = 0; index < 24; index++) submissions.push(await submit(index));
    const stalling = new Set(submissions.slice(0, 20).map(({ cid }) => Buffer.from(cid).toString('hex')));
    const collecting = collector((honest) => ({
      async *fetch(cid, options) {
        if (stalling.has(Buffer.from(cidToBytes(cid)).toString('hex'))) await NEVER;
        yield* honest.fetch(cid, options);
      },
    }));
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const collected = collecting.collect(submissions, { wait: async () => true, over });
    await collecting.collect(submissions.slice(20), NO_PATIENCE); // these are there while the twenty are still awaited
    end();
    const { valid, excluded } = await collected;
    expect(valid.map(({ index }) => index)).to.deep.equal([20, 21, 22, 23]);
    expect(excluded).to.have.length(20);
    expect(excluded[0]!.detail).to.match(/had not arrived when its share of the turn was over/);
  });

  it('fetches and checks once what it has seen while reveals came in', async () => {
    const submissions = [await submit(0), await submit(1)];
    let asked = 0;
    const counting = collector((honest) => ({
      fetch(cid, options) {
        asked++;
        return honest.fetch(cid, options);
      },
    }));
    counting.prefetch(submissions.slice(0, 1));
    counting.prefetch(submissions);
    await counting.collect(submissions, NO_PATIENCE);
    expect(asked).to.equal(2);
  });

  it('a trouble of its own machine is an error, not an excluded participant', async () => {
    const submissions = [await submit(0)];
    const full = collector(() => ({
      fetch() {
        throw new AssayError('DISK_FULL', { summary: 'the disk is full' });
      },
    }));
    await expectError(() => full.collect(submissions, NO_PATIENCE), 'DISK_FULL');
  });
});

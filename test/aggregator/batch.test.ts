import { expect } from 'chai';
import { Batch } from '../../aggregator/relay/batch.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('aggregator: batches of a relay', () => {
  it('what arrives within a moment goes together, in order, and each gets its own result', async () => {
    const seen: number[][] = [];
    const batch = new Batch<number, number>({
      waitMs: 20,
      largest: 10,
      handle: async (items) => {
        seen.push([...items]);
        return items.map((item) => item * 2);
      },
    });
    expect(await Promise.all([1, 2, 3].map((item) => batch.add(item)))).to.deep.equal([2, 4, 6]);
    expect(seen).to.deep.equal([[1, 2, 3]]);
  });

  it('a full one does not wait, and what comes while one is on its way makes the next', async () => {
    const seen: number[][] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const batch = new Batch<number, number>({
      waitMs: 5,
      largest: 2,
      handle: async (items) => {
        seen.push([...items]);
        if (seen.length === 1) await held;
        return items;
      },
    });
    const first = [batch.add(1), batch.add(2)];
    await pause(15);
    const later = [batch.add(3), batch.add(4), batch.add(5)];
    await pause(15);
    expect(seen).to.deep.equal([[1, 2]]);
    release();
    expect(await Promise.all([...first, ...later])).to.deep.equal([1, 2, 3, 4, 5]);
    expect(seen).to.deep.equal([[1, 2], [3, 4], [5]]);
  });

  it('one that fails fails its own items, and the next goes on', async () => {
    let broken = true;
    const batch = new Batch<number, number>({
      waitMs: 5,
      largest: 10,
      handle: async (items) => {
        if (broken) throw new Error('no chain');
        return items;
      },
    });
    const error = await batch.add(1).catch((failure: unknown) => failure);
    expect((error as Error).message).to.equal('no chain');
    broken = false;
    expect(await batch.add(2)).to.equal(2);
  });
});

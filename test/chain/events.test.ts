import { expect } from 'chai';
import { BaseError } from 'viem';
import { readEvents } from '../../chain/events.ts';
import type { Connection } from '../../chain/rpc.ts';
import { AssayError } from '../../protocol/errors.ts';

const FEDERATION = '0x00000000000000000000000000000000000000AA';

/** A node with one event in each block up to `head`, that answers `most` blocks at once or fails as it is told. */
function node(head: bigint, most: bigint, fail: () => Error = () => new BaseError('query exceeds limits')) {
  const asked: [bigint, bigint][] = [];
  const publicClient = {
    getBlockNumber: async () => head,
    getContractEvents: async ({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) => {
      asked.push([fromBlock, toBlock]);
      if (toBlock - fromBlock + 1n > most) throw fail();
      return Array.from({ length: Number(toBlock - fromBlock) + 1 }, (_, i) => fromBlock + BigInt(i));
    },
  };
  const read = async (range: { fromBlock?: bigint; toBlock?: bigint } = {}): Promise<unknown> =>
    readEvents({ publicClient } as unknown as Connection, {
      federation: FEDERATION,
      eventName: 'RoundPublished',
      ...range,
    });
  return { asked, read };
}

const blocks = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => BigInt(from + i));

describe('chain: events from nodes that limit a question', () => {
  it('each event once and in order, however few blocks the node takes at once', async () => {
    for (const most of [1n, 2n, 5n, 37n]) {
      expect(await node(36n, most).read(), `${most} blocks`).to.deep.equal(blocks(0, 36));
      expect(await node(36n, most).read({ fromBlock: 7n, toBlock: 20n })).to.deep.equal(blocks(7, 20));
    }
  });

  it('one question where the node takes it', async () => {
    const { asked, read } = node(36n, 100n);
    await read({ fromBlock: 5n });
    expect(asked).to.deep.equal([[5n, 36n]]);
  });

  it('of blocks that are not there yet the node is not asked: some refuse that', async () => {
    const { asked, read } = node(36n, 100n);
    expect(await read({ fromBlock: 37n })).to.deep.equal([]);
    expect(asked).to.deep.equal([]);
  });

  it('a node that refuses even one block is an error, not an empty answer', async () => {
    const error = await node(36n, 0n)
      .read()
      .catch((failure: unknown) => failure);
    expect(error).to.be.instanceOf(BaseError);
    expect(String(error)).to.contain('query exceeds limits');
  });

  it('a node that is down is not asked again in halves: each question would wait for it anew', async () => {
    const down = new AssayError('RPC_DOWN', { summary: 'down' });
    const { asked, read } = node(36n, 0n, () => new BaseError('Failed.', { cause: down }));
    const error = await read().catch((failure: unknown) => failure);
    expect((error as BaseError).walk((cause) => cause instanceof AssayError)).to.equal(down);
    expect(asked).to.have.length(1);
  });
});

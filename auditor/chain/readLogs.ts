/** All logs of one contract over a range of blocks, in ranges as wide as the node allows. */
import type { Log } from 'ethers';
import { AssayError } from '../../protocol/errors.ts';
import type { LogFact } from './chainFacts.ts';
import { hexOf } from './hexOf.ts';
import type { Rpc } from './rpc.ts';

/**
 * Nodes limit a log query by blocks, by results or by time, each with its own message, so no message is read: a range
 * that is refused is halved, one that succeeds is doubled.
 *
 * @throws AssayError `RPC_UNREACHABLE`, or `LOGS_REFUSED` when the node refuses even one block.
 */
export async function readLogs(rpc: Rpc, address: string, fromBlock: number, toBlock: number): Promise<LogFact[]> {
  const logs: LogFact[] = [];
  let width = toBlock - fromBlock + 1;
  for (let from = fromBlock; from <= toBlock; ) {
    const to = Math.min(toBlock, from + width - 1);
    try {
      const found = await rpc.ask(`the logs of blocks ${from} to ${to}`, (provider) =>
        provider.getLogs({ address, fromBlock: from, toBlock: to }),
      );
      logs.push(...found.map(toLogFact));
      from = to + 1;
      width *= 2;
    } catch (error) {
      if (error instanceof AssayError) throw error;
      if (from === to) {
        throw new AssayError('LOGS_REFUSED', {
          summary: `the Ethereum node refuses to give the logs of block ${from}`,
          received: error instanceof Error ? error.message : String(error),
          fix: 'use a node that keeps the logs of the whole federation',
          cause: error,
        });
      }
      width = Math.floor((to - from + 1) / 2);
    }
  }
  return logs.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex);
}

export function toLogFact(log: Log): LogFact {
  return {
    address: hexOf(log.address),
    topics: log.topics.map(hexOf),
    data: hexOf(log.data),
    blockNumber: log.blockNumber,
    blockHash: hexOf(log.blockHash),
    transactionHash: hexOf(log.transactionHash),
    logIndex: log.index,
  };
}

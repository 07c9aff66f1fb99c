/** Events of one contract, in order, from nodes that limit how many blocks one question may span. */
import { type Address, BaseError, type ContractEventName, type GetContractEventsReturnType } from 'viem';
import { AssayError } from '../protocol/errors.ts';
import { federationAbi } from './abi/federation.ts';
import type { Connection } from './rpc.ts';

export type FederationEventName = ContractEventName<typeof federationAbi>;

export type FederationEvent<Name extends FederationEventName> = GetContractEventsReturnType<
  typeof federationAbi,
  Name,
  true
>[number];

export interface EventQuery<Name extends FederationEventName> {
  readonly federation: Address;
  readonly eventName: Name;
  readonly args?: Record<string, unknown>;
  readonly fromBlock?: bigint;
  readonly toBlock?: bigint;
}

/** All events of that name, oldest first. Halves the range of blocks when the node finds it too long. */
export async function readEvents<Name extends FederationEventName>(
  connection: Connection,
  query: EventQuery<Name>,
): Promise<FederationEvent<Name>[]> {
  const from = query.fromBlock ?? 0n;
  const to = query.toBlock ?? (await connection.publicClient.getBlockNumber());
  // Anvil refuses a range that begins after its newest block; other nodes have nothing to tell about it.
  return from > to ? [] : readRange(connection, query, from, to);
}

async function readRange<Name extends FederationEventName>(
  connection: Connection,
  query: EventQuery<Name>,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<FederationEvent<Name>[]> {
  try {
    const events = await connection.publicClient.getContractEvents({
      address: query.federation,
      abi: federationAbi,
      eventName: query.eventName,
      args: query.args as never,
      fromBlock,
      toBlock,
      strict: true,
    });
    return events as unknown as FederationEvent<Name>[];
  } catch (error) {
    if (error instanceof BaseError && error.walk((cause) => cause instanceof AssayError)) throw error;
    if (toBlock <= fromBlock) throw error;
    const middle = (fromBlock + toBlock) / 2n;
    const older = await readRange(connection, query, fromBlock, middle);
    return [...older, ...(await readRange(connection, query, middle + 1n, toBlock))];
  }
}

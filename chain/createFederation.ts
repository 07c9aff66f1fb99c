/** Creates a federation through the factory. */
import { type Address, parseEventLogs } from 'viem';
import { AssayError } from '../protocol/errors.ts';
import type { FederationParameters } from '../protocol/round/parameters.ts';
import { federationFactoryAbi } from './abi/federationFactory.ts';
import { fromParameters } from './convert.ts';
import type { Connection, Signer } from './rpc.ts';
import { type Sent, sendTransaction } from './transaction.ts';

export interface CreatedFederation {
  readonly address: Address;
  readonly sent: Sent;
}

/**
 * Creates a federation that the signer owns.
 *
 * @param members the first accounts on the allow-list; of no effect where membership is open
 * @throws AssayError `REVERT_<custom error>` for parameters that cannot work, `NO_FEDERATION` when `factory` is another
 *   contract, and those of a transaction.
 */
export async function createFederation(
  connection: Connection,
  signer: Signer,
  factory: Address,
  parameters: FederationParameters,
  members: readonly Address[],
): Promise<CreatedFederation> {
  const sent = await sendTransaction(connection, signer, {
    address: factory,
    abi: federationFactoryAbi,
    functionName: 'createFederation',
    args: [fromParameters(parameters), members],
  });
  const [created] = parseEventLogs({
    abi: federationFactoryAbi,
    eventName: 'FederationCreated',
    logs: sent.receipt.logs,
  });
  if (created === undefined) {
    throw new AssayError('NO_FEDERATION', {
      summary: `the contract at ${factory} created no federation`,
      expected: 'an event FederationCreated',
      fix: 'check --factory',
    });
  }
  return { address: created.args.federation, sent };
}

/** What goes with a call that pays the federation: coin as its value, or an allowance of the federation's token. */
import { type Address, erc20Abi, zeroAddress } from 'viem';
import type { FederationParameters } from '../protocol/round/parameters.ts';
import type { Connection, Signer } from './rpc.ts';
import { sendTransaction } from './transaction.ts';

/** The federation that is paid. */
export interface Paid {
  readonly address: Address;
  readonly connection: Connection;
  readonly parameters: Pick<FederationParameters, 'stakeToken'>;
}

/**
 * Makes sure that the federation can take `amount` from the signer with its next call.
 * @returns the wei to send along: the amount itself where the federation is paid in the chain's coin, else 0
 * @throws AssayError as `sendTransaction` does
 */
export async function payable(
  { connection, parameters, address }: Paid,
  signer: Signer,
  amount: bigint,
): Promise<bigint> {
  const token = parameters.stakeToken;
  if (token === zeroAddress) return amount;
  const allowed = await connection.publicClient.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'allowance',
    args: [signer.account.address, address],
  });
  if (allowed < amount) {
    await sendTransaction(connection, signer, {
      address: token,
      abi: erc20Abi,
      functionName: 'approve',
      args: [address, amount],
    });
  }
  return 0n;
}

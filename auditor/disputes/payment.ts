/** How a bond is paid: as the transaction's value, or, in a federation with a token, from an allowance. */
import { Interface } from 'ethers';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { FederationParameters } from '../../protocol/round/parameters.ts';
import type { Account } from '../chain/account.ts';

const NATIVE_COIN = `0x${'00'.repeat(20)}`;
const erc20 = new Interface([
  'function allowance(address owner, address spender) view returns (uint256)',
  'function approve(address spender, uint256 value) returns (bool)',
]);

/** Allows the contract to take `amount` where it is a token's, and returns the value to send along. */
export async function prepareBond(
  account: Account,
  federation: Hex,
  { stakeToken }: Pick<FederationParameters, 'stakeToken'>,
  amount: bigint,
): Promise<bigint> {
  if (stakeToken === NATIVE_COIN) return amount;
  if (amount === 0n) return 0n;
  const question = erc20.encodeFunctionData('allowance', [account.address, federation]) as Hex;
  const answer = await account.simulate({ to: stakeToken, data: question, value: 0n, what: 'its allowance' });
  if ((erc20.decodeFunctionResult('allowance', answer)[0] as bigint) >= amount) return 0n;
  const data = erc20.encodeFunctionData('approve', [federation, amount]) as Hex;
  await account.send({ to: stakeToken, data, value: 0n, what: 'an allowance for the bond' });
  return 0n;
}

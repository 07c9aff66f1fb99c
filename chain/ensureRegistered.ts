/** Makes sure that a node's account holds its role: registered, staked, and known by its present gateway. */

import { type Address, erc20Abi, formatEther, type Hex, zeroAddress } from 'viem';
import { AssayError } from '../protocol/errors.ts';
import type { Federation, Role } from './federation.ts';
import { revertName } from './revert.ts';
import type { Signer } from './rpc.ts';
import { type Sent, settlePending } from './transaction.ts';

export interface Registration {
  /** The transactions it took; none when everything was in place. */
  readonly transactions: readonly Hex[];
  /** Their gas; null when there were none. */
  readonly gasUsed: bigint | null;
  /** At stake now, in wei or in units of the federation's token. */
  readonly stake: bigint;
}

/**
 * Registers the signer's account, or tops its stake up and announces its gateway where that is missing.
 *
 * @param gateway base URL under which peers fetch this node's payloads
 * @param offeredStake wei or units of the token to register with; default: what the federation asks for
 * @throws AssayError `NOT_A_MEMBER`, `STAKE_TOO_LOW`, `UNFUNDED`, `LEFT` (the account asked to exit), and those of a
 *   transaction.
 */
export async function ensureRegistered(
  federation: Federation,
  signer: Signer,
  role: Role,
  gateway: string,
  offeredStake?: bigint,
): Promise<Registration> {
  const { connection, parameters } = federation;
  const account = signer.account.address;
  await settlePending(connection, account);
  const required = role === 'participant' ? parameters.participantStake : parameters.aggregatorStake;
  const registered =
    role === 'participant' ? await federation.participant(account) : await federation.aggregator(account);
  if (registered === null) {
    if (!parameters.openMembership && !(await federation.isMember(account))) {
      throw new AssayError('NOT_A_MEMBER', {
        summary: `${account} is not a member of the federation`,
        expected: "an address on the federation's allow-list",
        received: account,
        fix: "ask the federation's owner to add it with addMembers, then start again",
      });
    }
    const stake = offeredStake ?? required;
    if (stake < required) {
      throw new AssayError('STAKE_TOO_LOW', {
        summary: `the stake is too low for a${role === 'aggregator' ? 'n' : ''} ${role}`,
        expected: `at least ${amountText(federation, required)}`,
        received: amountText(federation, stake),
        fix: 'offer more with --stake, or leave the option out to send what the federation asks for',
      });
    }
    await requireBalance(federation, account, stake);
    const sent = await federation.register(signer, role, gateway, stake);
    return { transactions: [sent.hash], gasUsed: sent.gasUsed, stake };
  }
  if (registered.exitRequestedAt !== 0n) {
    throw new AssayError('LEFT', {
      summary: `${account} has asked to leave the federation`,
      fix: 'withdraw the stake with `assay leave`, or join with another key',
    });
  }
  const sent: Sent[] = [];
  let { stake } = registered;
  if (role === 'participant' && stake >= required) {
    sent.push(...(await settleOwn(federation, signer)));
    if (sent.length > 0) stake = (await federation.participant(account))?.stake ?? stake;
  }
  const toppedUp = stake < required ? required - stake : 0n;
  if (toppedUp > 0n) {
    await requireBalance(federation, account, toppedUp);
    sent.push(await federation.topUp(signer, role, toppedUp));
  }
  if ((await federation.gateways()).get(account) !== gateway) {
    sent.push(await federation.setGateway(signer, gateway));
  }
  return {
    transactions: sent.map(({ hash }) => hash),
    gasUsed: sent.length === 0 ? null : sent.reduce((sum, { gasUsed }) => sum + gasUsed, 0n),
    stake: stake + toppedUp,
  };
}

/**
 * Pays the penalty for a reveal that this account missed, if it owes one. Else its next commit would charge it, find
 * the stake too low and be refused, and nobody could see why.
 */
async function settleOwn(federation: Federation, signer: Signer): Promise<Sent[]> {
  const participant = await federation.participant(signer.account.address);
  if (participant === null || participant.revealed || participant.committedOpening === 0) return [];
  try {
    return [await federation.settleMissedReveal(signer, participant.account)];
  } catch (error) {
    if (revertName(error) === 'NothingToSettle') return [];
    throw error;
  }
}

function amountText({ parameters }: Federation, amount: bigint): string {
  return parameters.stakeToken === zeroAddress ? `${formatEther(amount)} ether` : `${amount} units of its token`;
}

/** That the account has the stake, in what the federation is paid in. */
async function requireBalance(federation: Federation, account: Address, stake: bigint): Promise<void> {
  const token = federation.parameters.stakeToken;
  if (token !== zeroAddress) return requireTokens(federation, token, account, stake);
  const { connection, parameters } = federation;
  const { stakeToken } = parameters;
  if (stakeToken === zeroAddress) {
    const balance = await connection.publicClient.getBalance({ address: account });
    if (balance > stake) return;
    throw new AssayError('UNFUNDED', {
      summary: `${account} cannot pay the stake and the gas`,
      expected: `more than ${formatEther(stake)} ether`,
      received: `${formatEther(balance)} ether`,
      fix: 'send ether to this address, then start again',
    });
  }
  const balance = await connection.publicClient.readContract({
    address: stakeToken,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [account],
  });
  if (balance >= stake) return;
  throw new AssayError('UNFUNDED', {
    summary: `${account} cannot pay the stake`,
    expected: `${stake} units of the token ${stakeToken}`,
    received: `${balance} units`,
    fix: 'send tokens to this address, then start again',
  });
}

async function requireTokens(federation: Federation, token: Address, account: Address, stake: bigint): Promise<void> {
  const { publicClient } = federation.connection;
  const balance = await publicClient.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [account],
  });
  if (balance >= stake) return;
  throw new AssayError('UNFUNDED', {
    summary: `${account} cannot pay the stake in the federation's token`,
    expected: `${stake} units of the token ${token}`,
    received: `${balance} units`,
    fix: 'send tokens to this address, and coin for gas, then start again',
  });
}

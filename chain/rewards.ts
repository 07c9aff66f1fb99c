/** Rewards of final rounds, and everything that is paid out on request. */
import { type Address, bytesToHex } from 'viem';
import type { Publication } from '../protocol/round/publication.ts';
import type { RevealedUpdate } from '../protocol/round/submission.ts';
import { publicationStruct } from './challenges.ts';
import type { Federation } from './federation.ts';
import { payable } from './payment.ts';
import type { Signer } from './rpc.ts';
import type { Sent } from './transaction.ts';

/** Adds to the pool that rewards are paid from. */
export async function fundRewards(federation: Federation, signer: Signer, amount: bigint): Promise<Sent> {
  return federation.send(signer, 'fundRewards', [amount, '0x'], await payable(federation, signer, amount));
}

/**
 * Credits a final round's reward to who earned it.
 * @param scored what the contribution score is read from, where a part of the reward follows it; else null
 */
export function distributeRewards(
  federation: Federation,
  signer: Signer,
  round: number,
  reveals: readonly RevealedUpdate[],
  scored: { readonly publication: Publication; readonly gramRootOpening: Uint8Array } | null,
): Promise<Sent> {
  return federation.send(signer, 'distributeRewards', [
    BigInt(round),
    reveals,
    publicationStruct(scored?.publication ?? null),
    scored === null ? '0x' : bytesToHex(scored.gramRootOpening),
  ]);
}

/** Pays out what the signer has earned. @throws AssayError `REVERT_NothingToWithdraw` */
export function withdrawCredit(federation: Federation, signer: Signer): Promise<Sent> {
  return federation.send(signer, 'withdrawCredit', []);
}

/** Owner: takes back what is left in the pool once the last round is final. */
export function reclaimRewards(federation: Federation, signer: Signer): Promise<Sent> {
  return federation.send(signer, 'reclaimRewards', []);
}

export function creditOf(federation: Federation, account: Address): Promise<bigint> {
  return federation.read('creditOf', [account]);
}

export function rewardPool(federation: Federation): Promise<bigint> {
  return federation.read('rewardPool');
}

/** What is reserved for a round and not distributed yet. */
export function rewardOf(federation: Federation, round: number): Promise<bigint> {
  return federation.read('rewardOf', [BigInt(round)]);
}

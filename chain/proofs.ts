/** Fraud proofs as transactions: protocol/dispute builds and judges them, this file encodes and sends them. */
import { bytesToHex } from 'viem';
import type { BadSumProof } from '../protocol/dispute/badSum.ts';
import type { CopiedUpdateProof } from '../protocol/dispute/copiedUpdate.ts';
import type { Federation } from './federation.ts';
import { payable } from './payment.ts';
import type { Signer } from './rpc.ts';
import type { Sent } from './transaction.ts';

/** Convicts a participant of a lie in its update's tree. The proof bond goes along and comes back with the reward. */
export async function proveBadSum(federation: Federation, signer: Signer, proof: BadSumProof): Promise<Sent> {
  const opening = { ...proof.opening, preimage: bytesToHex(proof.opening.preimage) };
  const value = await payable(federation, signer, federation.parameters.proofBond);
  return federation.send(
    signer,
    'proveBadSum',
    [BigInt(proof.round), proof.reveals, BigInt(proof.accused), opening],
    value,
  );
}

/** Takes a copied update out of its round. No bond: a copy is no lie, and nobody is slashed. */
export function voidCopiedUpdate(federation: Federation, signer: Signer, proof: CopiedUpdateProof): Promise<Sent> {
  return federation.send(signer, 'voidCopiedUpdate', [
    BigInt(proof.round),
    proof.reveals,
    BigInt(proof.copy),
    BigInt(proof.originalRound),
    proof.originalReveals,
    BigInt(proof.original),
  ]);
}

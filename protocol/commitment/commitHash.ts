/**
 * The sealed commitment that a participant posts before it reveals its update. It binds the chain, the contract, the
 * round, the model the update started from and the sender, so it can be neither squatted, nor copied, nor replayed.
 */
import { concatBytes, type Hex } from '../encoding/bytes.ts';
import { abiUint, abiWord, keccak256 } from './keccak.ts';

/** What the seal covers. */
export interface SealedUpdate {
  readonly chainId: number;
  readonly federation: Hex;
  readonly round: number;
  readonly baseModelRoot: Hex;
  readonly participant: Hex;
  readonly root: Hex;
  readonly normSq: bigint;
  /** Binary CIDv1 of the payload. */
  readonly cid: Uint8Array;
  /** 32 random bytes that the participant keeps until it reveals. */
  readonly salt: Hex;
}

/**
 * keccak256(abi.encode(chainId, federation, round, baseModelRoot, participant, root, normSq, keccak256(cid), salt)),
 * which `commitUpdate` sends. Spec: docs/spec/round.md, "Commit". The Solidity twin is contracts/libraries/CommitHash.sol.
 *
 * @throws AssayError `HEX` or `ABI_WORD` for a root, address or salt of another length.
 */
export function commitHash(update: SealedUpdate): Hex {
  return keccak256(
    concatBytes(
      abiUint(update.chainId),
      abiWord(update.federation),
      abiUint(update.round),
      abiWord(update.baseModelRoot),
      abiWord(update.participant),
      abiWord(update.root),
      abiUint(update.normSq),
      abiWord(keccak256(update.cid)),
      abiWord(update.salt),
    ),
  );
}

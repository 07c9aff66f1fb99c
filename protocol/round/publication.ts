/** What the leader of a turn publishes for a round. */

import { abiUint, abiWord, keccak256 } from '../commitment/keccak.ts';
import { concatBytes, type Hex, ZERO_HASH } from '../encoding/bytes.ts';

/** The numbers that everybody who replays the round must find. */
export interface RoundRoots {
  readonly modelRoot: Hex;
  /** Server state after the round; ZERO_HASH for a stateless server step. */
  readonly stateRoot: Hex;
  /** ZERO_HASH for a rule without a Gram matrix, as is `mixingHash`. */
  readonly gramRoot: Hex;
  readonly mixingHash: Hex;
}

export interface Publication extends RoundRoots {
  /** Which submissions the numbers are made from: `submissionSet` of the round's accumulator and voided bitmap. */
  readonly submissionSet: Hex;
  readonly modelCid: Uint8Array;
  readonly evidenceCid: Uint8Array;
}

/** Stands for the publication that is not there: before the first, and for a step without state. */
export const NO_PUBLICATION: Publication = {
  modelRoot: ZERO_HASH,
  stateRoot: ZERO_HASH,
  gramRoot: ZERO_HASH,
  mixingHash: ZERO_HASH,
  submissionSet: ZERO_HASH,
  modelCid: new Uint8Array(0),
  evidenceCid: new Uint8Array(0),
};

/**
 * keccak256(abi.encode(accumulator, voidedBitmap)): names every submission that counts. The contract refuses a
 * publication that names another set than the one it holds at that moment.
 */
export function submissionSet(accumulator: Hex, voidedBitmap: bigint): Hex {
  return keccak256(concatBytes(abiWord(accumulator), abiUint(voidedBitmap)));
}

/** What the contract keeps of a publication. */
export function publicationHash(publication: Publication): Hex {
  const { modelRoot, stateRoot, gramRoot, mixingHash, submissionSet, modelCid, evidenceCid } = publication;
  // abi.encode of a dynamic struct: one offset to it, then five words, two offsets, and the two byte strings.
  const modelTail = abiBytes(modelCid);
  const head = [modelRoot, stateRoot, gramRoot, mixingHash, submissionSet].map(abiWord);
  const headLength = 7 * 32;
  return keccak256(
    concatBytes(
      abiUint(32),
      ...head,
      abiUint(headLength),
      abiUint(headLength + modelTail.length),
      modelTail,
      abiBytes(evidenceCid),
    ),
  );
}

function abiBytes(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / 32) * 32);
  padded.set(bytes);
  return concatBytes(abiUint(bytes.length), padded);
}

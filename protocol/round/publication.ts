/** What the leader of a turn publishes for a round. */

import { abiUint, abiWord, keccak256 } from '../commitment/keccak.ts';
import { concatBytes, type Hex } from '../encoding/bytes.ts';

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
  readonly modelCid: Uint8Array;
  readonly evidenceCid: Uint8Array;
}

/** What the contract keeps of a publication. */
export function publicationHash(publication: Publication): Hex {
  const { modelRoot, stateRoot, gramRoot, mixingHash, modelCid, evidenceCid } = publication;
  // abi.encode of a dynamic struct: one offset to it, then four words, two offsets, and the two byte strings.
  const modelTail = abiBytes(modelCid);
  const head = [modelRoot, stateRoot, gramRoot, mixingHash].map(abiWord);
  const headLength = 6 * 32;
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

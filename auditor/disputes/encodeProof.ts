/** A proof as the transaction that accuses. */

import { PUBLISHED_TREES } from '../../protocol/dispute/badVacancy.ts';
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import { concatBytes, type Hex } from '../../protocol/encoding/bytes.ts';
import { NO_PUBLICATION } from '../../protocol/round/publication.ts';
import { federationInterface } from '../chain/decodeEvents.ts';

/** Calldata. The field names of the proofs are those of the contract's structs. */
export function encodeProof(proof: FraudProof): Hex {
  const encode = (name: string, args: readonly unknown[]): Hex =>
    federationInterface.encodeFunctionData(name, [...args]) as Hex;
  switch (proof.kind) {
    case 'badSum':
      return encode('proveBadSum', [proof.round, proof.reveals, proof.accused, proof.opening]);
    case 'badVacancy': {
      const { round, publication, tree, level, position, hash, path } = proof;
      return encode('proveBadVacancy', [
        round,
        publication,
        PUBLISHED_TREES.indexOf(tree),
        level,
        position,
        hash,
        path,
      ]);
    }
    case 'badCoordinate':
      return encode('proveBadCoordinate', [
        { ...proof, rows: concatBytes(...proof.rows), previous: proof.previous ?? NO_PUBLICATION },
      ]);
    case 'badGramLeaf':
      return encode('proveBadGramLeaf', [proof]);
    case 'badGramNode':
      return encode('proveBadGramNode', [proof]);
    case 'badMixing':
      return encode('proveBadMixing', [proof]);
    case 'copiedUpdate': {
      const { round, reveals, copy, originalRound, originalReveals, original } = proof;
      return encode('voidCopiedUpdate', [round, reveals, copy, originalRound, originalReveals, original]);
    }
  }
}

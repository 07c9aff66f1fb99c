import { FED_AVG } from '../../../protocol/aggregation/serverStep.ts';
import type { DisputedRound } from '../../../protocol/dispute/disputedRound.ts';
import type { FraudProof } from '../../../protocol/dispute/fraudProof.ts';
import { PROOF_FORMAT, parseProofFile } from '../../../protocol/dispute/proofFile.ts';
import { ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { plainRule } from './ruleOf.ts';
import { loadVectors } from './vectors.ts';

export interface DisputeVector {
  readonly name: string;
  readonly round: DisputedRound;
  readonly proof: FraudProof;
  readonly verdict: 'guilty' | 'innocent' | 'malformed';
}

/** test/vectors/disputes.json; the proofs come through the parser of proof files. */
export function disputeVectors(): DisputeVector[] {
  // biome-ignore lint/suspicious/noExplicitAny: the vectors' own shape, which the parser and the judges check
  const { cases } = loadVectors<any>('disputes.json');
  return cases.map(({ name, round, proof, verdict }) => {
    const document = { format: PROOF_FORMAT, chainId: 1, federation: `0x${'00'.repeat(20)}`, proof };
    return {
      name,
      verdict,
      proof: parseProofFile(new TextEncoder().encode(JSON.stringify(document))).proof,
      round: {
        seed: ZERO_HASH,
        ...round,
        voidedBitmap: BigInt(round.voidedBitmap),
        parameters: {
          enforced: true,
          ...round.parameters,
          normSqBound: NO_NORM_BOUND,
          rule: plainRule(round.parameters.rule),
          serverStep: { ...FED_AVG, ...round.parameters.serverStep },
        },
      },
    };
  });
}

/** From a proof file to a verdict: checked against the chain as it is now, judged here first, then sent. */
import { type FraudProof, judgeProof } from '../../protocol/dispute/fraudProof.ts';
import type { ProofFile } from '../../protocol/dispute/proofFile.ts';
import { AssayError } from '../../protocol/errors.ts';
import { Account } from '../chain/account.ts';
import { assembleRounds } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import { decodeEvents } from '../chain/decodeEvents.ts';
import { readChain } from '../chain/readChain.ts';
import { Rpc, type RpcOptions } from '../chain/rpc.ts';
import { disputedRound } from './disputedRound.ts';
import { type Judgement, submitProof } from './submitProof.ts';

export interface AccuseOptions extends RpcOptions {
  readonly file: ProofFile;
  /** Key of the account that accuses, pays the bond and earns the reward. */
  readonly privateKey: string;
  readonly fromBlock?: number | undefined;
  /** Also send what this audit's judge finds innocent: the bond is then lost. Default false. */
  readonly force?: boolean | undefined;
}

/**
 * Brings a proof before the contract.
 *
 * @throws AssayError `PROOF_MALFORMED` when it speaks of something else than the chain holds, `PROOF_INNOCENT` when it
 *   would lose its bond, `REVERT_..` when the contract refuses it, and what reading the chain throws
 */
export async function accuse(options: AccuseOptions): Promise<Judgement> {
  const { file, privateKey, force = false, ...rpcOptions } = options;
  const { federation, chainId, proof } = file;
  const facts = await readChain({ ...rpcOptions, federation, chainId });
  if (!force && judgeNow(facts, proof) === 'innocent') {
    throw new AssayError('PROOF_INNOCENT', {
      summary: `the ${proof.kind} proof of round ${proof.round} opens a number that is right`,
      expected: 'one that is wrong',
      received: `the accused would win the bond of ${facts.parameters.proofBond}`,
      fix: 'do not send it; --force sends it all the same and loses the bond',
    });
  }
  const rpc = await Rpc.connect({ ...rpcOptions, chainId });
  try {
    return await submitProof(new Account(rpc, privateKey), facts, proof);
  } finally {
    rpc.close();
  }
}

/** What the contract would say, by its twin. @throws AssayError `PROOF_MALFORMED` where it would revert. */
export function judgeNow(facts: ChainFacts, proof: FraudProof): 'guilty' | 'innocent' {
  const round = assembleRounds(facts, decodeEvents(facts.logs)).find(({ round }) => round === proof.round);
  if (round === undefined) {
    throw new AssayError('PROOF_MALFORMED', {
      summary: `no proof: the federation has no round ${proof.round}`,
      fix: 'check that the file is about this federation and this chain',
    });
  }
  const original = proof.kind === 'copiedUpdate' ? facts.rounds[proof.originalRound - 1]?.accumulator : undefined;
  return judgeProof(disputedRound(facts, round), proof, original);
}

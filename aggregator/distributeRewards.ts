/** Pays out the rewards of final rounds. Anybody may; an aggregator does, since it earns from every round. */

import type { StandingPublication } from '../chain/publications.ts';
import { revertName } from '../chain/revert.ts';
import { distributeRewards, rewardOf } from '../chain/rewards.ts';
import { gramMatrixBytes, gramPayloadLength } from '../protocol/commitment/gramTree.ts';
import { openGramRoot } from '../protocol/dispute/provenLies.ts';
import { gramTree } from '../protocol/dispute/trees.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';
import { MAX_EVIDENCE_BYTES, parseEvidence } from '../protocol/round/evidence.ts';
import { layoutOf } from '../protocol/round/parameters.ts';
import { revealedUpdate, voidedIndices } from '../protocol/round/submission.ts';
import { chunkReads } from '../storage/chunkReads.ts';
import type { AggregatorContext } from './context.ts';

/** Paying out computes nothing. */
export type RewardContext = Omit<AggregatorContext, 'engine'>;

export class RewardDesk {
  private readonly context: RewardContext;
  private looked = 0;
  /** Final rounds whose reward could not be distributed yet. */
  private owed: number[] = [];

  constructor(context: RewardContext) {
    this.context = context;
  }

  /** Once for each round that became final since the last look, and again for those that failed before. */
  async attend(lastFinalRound: number): Promise<void> {
    const { federation } = this.context;
    if (federation.parameters.roundReward === 0n || lastFinalRound <= this.looked) return;
    for (let round = this.looked + 1; round <= lastFinalRound; round++) this.owed.push(round);
    this.looked = lastFinalRound;
    const failed: number[] = [];
    for (const round of this.owed) if (!(await this.distribute(round))) failed.push(round);
    this.owed = failed;
  }

  private async distribute(round: number): Promise<boolean> {
    const { federation, signer, report } = this.context;
    if ((await rewardOf(federation, round)) === 0n) return true;
    try {
      const view = await federation.round(round);
      const reveals = await federation.submissions(view);
      const scores = federation.parameters.contributionRewardBps > 0;
      const rows = reveals.length - voidedIndices(view.voidedBitmap).size;
      const scored = scores ? await this.openGramRoot(round, rows) : null;
      const { hash, gasUsed } = await distributeRewards(federation, signer, round, reveals.map(revealedUpdate), scored);
      report({ type: 'rewarded', round, transaction: hash, gasUsed });
      return true;
    } catch (error) {
      if (revertName(error) === 'NothingToDistribute') return true; // somebody else was first
      if (!(error instanceof AssayError) || !OTHERS_FAULTS.has(error.code)) throw error;
      report({ type: 'waiting', reason: `with the reward of round ${round}: ${error.message}` });
      return false;
    }
  }

  /** The matrices that the contribution score is read from, under the published root. */
  private async openGramRoot(
    round: number,
    n: number,
  ): Promise<{ publication: StandingPublication['publication']; gramRootOpening: Uint8Array }> {
    const { federation, payloads } = this.context;
    const layout = layoutOf(federation.parameters);
    const published = (await federation.standingPublications()).find((candidate) => candidate.round === round);
    if (published === undefined) throw unavailable(round, 'its publication is not among the events of the chain node');
    const { publication, aggregator } = published;
    const evidenceCid = cidFromBytes(publication.evidenceCid);
    await payloads.fetch(evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES, owner: aggregator });
    const evidence = await payloads.store.readAll(evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES });
    const { gramCid } = parseEvidence(evidence);
    if (gramCid === null) throw unavailable(round, 'its evidence does not say where the Gram tree is stored');
    const expectedBytes = gramPayloadLength(n, layout.chunkCount);
    await payloads.fetch(gramCid, { expectedBytes, owner: aggregator });
    const read = chunkReads(payloads.store, gramCid, gramMatrixBytes(n));
    return { publication, gramRootOpening: await openGramRoot(await gramTree(read, n, layout), read, n, layout) };
  }
}

/** What somebody may still mend; asked again when the next round is final. */
const OTHERS_FAULTS = new Set([
  'PAYLOAD_UNAVAILABLE',
  'PAYLOAD_LENGTH',
  'PAYLOAD_TOO_LARGE',
  'UNIXFS_NODE',
  'CID_INVALID',
  'EVIDENCE',
  'EVENTS_INCOMPLETE',
  'REVERT_ProofDoesNotOpen',
]);

function unavailable(round: number, why: string): AssayError {
  return new AssayError('PAYLOAD_UNAVAILABLE', { summary: `the Gram tree of round ${round} cannot be read: ${why}` });
}

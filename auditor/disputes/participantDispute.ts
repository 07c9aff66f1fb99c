/** An update that counts and is not what was revealed: the lie in its tree, or the chunk to ask for. */
import { type SumNode, sumLeafPreimage, type UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import type { WholeTree } from '../../protocol/commitment/perfectTree.ts';
import { buildBadSum, type SumOpening, sumOpening } from '../../protocol/dispute/badSum.ts';
import { nextUpdateChunk } from '../../protocol/dispute/descend.ts';
import { locateBadSum } from '../../protocol/dispute/locateBadSum.ts';
import { badSumOpening } from '../../protocol/dispute/provenLies.ts';
import { type ReadChunk, updateTree } from '../../protocol/dispute/trees.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import { chunksOfPayload, zeroPayload } from '../payloads/payload.ts';
import type { AuditedUpdate } from '../questions/updateQuestions.ts';
import { answersAbout } from './answers.ts';
import type { Dispute } from './dispute.ts';
import type { UpdateMaterial } from './material.ts';
import { askParticipant } from './question.ts';

/** Empty when the update is what was revealed. */
export async function participantDispute(material: UpdateMaterial, update: AuditedUpdate): Promise<Dispute[]> {
  if (update.status === 'holds') return [];
  const { context, round, disputed, reveals, answers } = material;
  const { layout } = context;
  const { submission, payload } = update;
  const prove = (opening: SumOpening | null): Dispute[] => {
    const accused = reveals.findIndex(({ index }) => index === submission.index);
    const proof = opening === null ? null : buildBadSum(disputed, round.round, reveals, accused, opening);
    const against = { round: round.round, accused: submission.participant, role: 'participant' } as const;
    return proof === null ? [] : [{ type: 'proof', ...against, proof }];
  };
  // Nothing served is as good as zeros: everything but what happens to be zero differs, and is asked for.
  const served = payload ?? zeroPayload(updatePayloadLength(layout));
  const read = chunksOfPayload(served, 2 * layout.chunkSize);
  const tree = await updateTree(read, layout);
  if (payload !== null) {
    const proven = prove(await lieOf(layout, tree, read, submission));
    if (proven.length > 0) return proven;
  }
  const next = nextUpdateChunk(layout, submission, tree, answersAbout(answers, 'update', submission.index));
  if (next.kind === 'lie') return prove(await badSumOpening(layout, tree, read, next.at));
  if (next.kind === 'known') return [];
  return next.chunks.map((chunk) => askParticipant(round.round, submission, chunk, update.finding.message));
}

/** The lie in a tree whose chunks are known: its padding, or one sum. */
async function lieOf(
  layout: VectorLayout,
  tree: WholeTree<SumNode>,
  read: ReadChunk,
  commitment: UpdateCommitment,
): Promise<SumOpening | null> {
  const { hash, sum } = tree.root;
  if (toHex(hash) !== commitment.root || sum !== commitment.normSq) return locateBadSum(layout, tree, read, commitment);
  const last = layout.chunkCount - 1; // the tree is the one that was revealed: what is wrong is its padding
  const leaf = tree.node(0, last);
  return sumOpening(0, last, leaf, sumLeafPreimage(leaf.sum, await read(last)), tree.path(0, last));
}

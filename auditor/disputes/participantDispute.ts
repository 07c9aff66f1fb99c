/** An update that counts and is not what was revealed: the lie in its tree, or the chunk to ask for. */
import {
  type SumNode,
  sumLeafPreimage,
  sumNodePreimage,
  type UpdateCommitment,
} from '../../protocol/commitment/merkleSum.ts';
import type { WholeTree } from '../../protocol/commitment/perfectTree.ts';
import { buildBadSum, type SumOpening, sumOpening } from '../../protocol/dispute/badSum.ts';
import { nextUpdateChunk, type VerifiedNode } from '../../protocol/dispute/descend.ts';
import { locateBadSum } from '../../protocol/dispute/locateBadSum.ts';
import { chunksOf, type ReadChunk, updateTree } from '../../protocol/dispute/trees.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import type { AuditedUpdate } from '../questions/updateQuestions.ts';
import { answersAbout } from './answers.ts';
import type { Dispute } from './dispute.ts';
import type { Material } from './material.ts';
import { askParticipant } from './question.ts';

/** Empty when the update is what was revealed. */
export async function participantDispute(material: Material, update: AuditedUpdate): Promise<Dispute[]> {
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
  const read = chunksOf(payload ?? new Uint8Array(updatePayloadLength(layout)), 2 * layout.chunkSize);
  const tree = await updateTree(read, layout);
  if (payload !== null) {
    const proven = prove(await lieOf(layout, tree, read, submission));
    if (proven.length > 0) return proven;
  }
  const next = nextUpdateChunk(layout, submission, tree, answersAbout(answers, 'update', submission.index));
  if (next.kind === 'lie') return prove(await openingAt(layout, tree, read, next.at));
  if (next.kind === 'known') return [];
  return [askParticipant(round.round, submission, next.chunk, update.finding.message)];
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

/** The node that answers have shown with another sum than the known children have. */
async function openingAt(
  layout: VectorLayout,
  known: WholeTree<SumNode>,
  read: ReadChunk,
  { level, position, node, path }: VerifiedNode<SumNode, SumNode>,
): Promise<SumOpening> {
  const beyond = position * 2 ** level >= layout.chunkCount;
  let preimage: Uint8Array = new Uint8Array(0);
  if (!beyond && level === 0) preimage = sumLeafPreimage(known.node(0, position).sum, await read(position));
  else if (!beyond) {
    preimage = sumNodePreimage(known.node(level - 1, 2 * position), known.node(level - 1, 2 * position + 1));
  }
  return sumOpening(level, position, node, preimage, path);
}

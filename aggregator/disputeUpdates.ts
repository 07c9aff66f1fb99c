/**
 * What an aggregator does about a payload that is not what was revealed, or that nobody serves. Nobody is left out
 * because one aggregator says so: a lie about a sum is proven, everything else is asked for on the chain. Who answers
 * counts, with the bytes of the answers; who does not is convicted of it.
 */

import { answersOf, challengeAvailability, challengeState, openedChallenges } from '../chain/challenges.ts';
import type { RoundView } from '../chain/convert.ts';
import { proveBadSum } from '../chain/proofs.ts';
import { type SumNode, sumLeafPreimage } from '../protocol/commitment/merkleSum.ts';
import { isRoot, openUpdateAnswer } from '../protocol/commitment/openings.ts';
import type { WholeTree } from '../protocol/commitment/perfectTree.ts';
import { judgeSumOpening, type SumOpening, sumOpening } from '../protocol/dispute/badSum.ts';
import { nextUpdateChunk } from '../protocol/dispute/descend.ts';
import { locateBadSum } from '../protocol/dispute/locateBadSum.ts';
import { missingChunks, type OpenedChunk } from '../protocol/dispute/missingChunks.ts';
import { badSumOpening } from '../protocol/dispute/provenLies.ts';
import { type ReadChunk, updateTree } from '../protocol/dispute/trees.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import type { VectorLayout } from '../protocol/encoding/layout.ts';
import { UPDATE_COORDINATE_BYTES } from '../protocol/encoding/vectors.ts';
import { layoutOf } from '../protocol/round/parameters.ts';
import { revealedUpdate, type Submission } from '../protocol/round/submission.ts';
import { chunkReads } from '../storage/chunkReads.ts';
import type { Collected, Exclusion } from './collectUpdates.ts';
import type { AggregatorContext } from './context.ts';
import type { PatchedPayloads } from './patchedPayloads.ts';
import { isRefusedProof } from './refusedProof.ts';

/** A valid update, and where its bytes are in this node's store. */
export interface Row {
  readonly submission: Submission;
  readonly cid: string;
}

const ZERO_ADDRESS = `0x${'00'.repeat(20)}`;
/** Chunks asked for at one look; the rest follows when these are answered. */
const LARGEST_BATCH = 16;

export class UpdateDisputes {
  private readonly context: AggregatorContext;
  private readonly patched: PatchedPayloads;
  private readonly layout: VectorLayout;
  /** By root and CID, whose bytes never change: the node that lies, or null when no single one explains it. */
  private readonly lies = new Map<string, SumOpening | null>();
  /** Those that the contract did not take for a proof. */
  private readonly refused = new Set<string>();
  /** Of the payloads in dispute, by the same. */
  private readonly trees = new Map<string, WholeTree<SumNode>>();

  constructor(context: AggregatorContext, patched: PatchedPayloads) {
    this.context = context;
    this.patched = patched;
    this.layout = layoutOf(context.federation.parameters);
  }

  /**
   * The rows of the round by participant index, or null while a payload is in dispute: look again.
   * @param reveals all of the round, in their order
   */
  async settle(view: RoundView, reveals: readonly Submission[], collected: Collected): Promise<Row[] | null> {
    const rows: Row[] = collected.valid.map((submission) => ({ submission, cid: cidFromBytes(submission.cid) }));
    for (const exclusion of collected.excluded) {
      const row = await this.pursue(view, reveals, exclusion);
      if (row !== null) rows.push(row);
    }
    if (rows.length < collected.valid.length + collected.excluded.length) return null;
    this.trees.clear();
    return rows.sort((a, b) => a.submission.index - b.submission.index);
  }

  private async pursue(view: RoundView, reveals: readonly Submission[], exclusion: Exclusion): Promise<Row | null> {
    const { submission, readable } = exclusion;
    const known = this.patched.get(submission.root);
    if (known !== undefined && (await this.context.payloads.store.has(known))) return { submission, cid: known };
    const read = readable ? this.reads(cidFromBytes(submission.cid)) : null;
    const lie = read === null ? null : await this.findLie(submission, read);
    if (lie !== null && (await this.convict(view, reveals, submission, lie))) return null;
    return this.ask(view, reveals, submission, read);
  }

  /** False when the contract takes this for no proof: then the chunks are asked for. */
  private async convict(
    view: RoundView,
    reveals: readonly Submission[],
    submission: Submission,
    lie: SumOpening,
  ): Promise<boolean> {
    if (this.refused.has(lieKey(submission))) return false;
    const { federation, signer, report } = this.context;
    const accused = reveals.indexOf(submission);
    const proof = {
      kind: 'badSum' as const,
      round: view.number,
      reveals: reveals.map(revealedUpdate),
      accused,
      opening: lie,
    };
    try {
      const { hash, gasUsed } = await proveBadSum(federation, signer, proof);
      const { participant } = submission;
      report({ type: 'convicted', round: view.number, participant, proof: 'badSum', transaction: hash, gasUsed });
      return true;
    } catch (error) {
      if (!isRefusedProof(error)) throw error;
      report({ type: 'waiting', reason: `with a proof that the contract does not take: ${error.message}` });
      this.refused.add(lieKey(submission));
      return false;
    }
  }

  private async treeOf(submission: Submission, read: ReadChunk): Promise<WholeTree<SumNode>> {
    const key = lieKey(submission);
    const tree = this.trees.get(key) ?? (await updateTree(read, this.layout));
    this.trees.set(key, tree);
    return tree;
  }

  private async findLie(submission: Submission, read: ReadChunk): Promise<SumOpening | null> {
    const key = lieKey(submission);
    const known = this.lies.get(key);
    if (known !== undefined) return known;
    const opening = await this.locateLie(submission, read);
    const guilty = opening !== null && judgeSumOpening(this.layout, submission, opening) === 'guilty';
    const lie = guilty ? opening : null;
    this.lies.set(key, lie);
    return lie;
  }

  private async locateLie(submission: Submission, read: ReadChunk): Promise<SumOpening | null> {
    const tree = await this.treeOf(submission, read);
    const { hash, sum } = tree.root;
    if (!isRoot(hash, submission.root) || sum !== submission.normSq) {
      return locateBadSum(this.layout, tree, read, submission);
    }
    // The commitment is right, so what is wrong is the padding: no leaf may have any.
    const last = this.layout.chunkCount - 1;
    const leaf = tree.node(0, last);
    return sumOpening(0, last, leaf, sumLeafPreimage(leaf.sum, await read(last)), tree.path(0, last));
  }

  /** Asks for what is missing; the row once everything is known. */
  private async ask(
    view: RoundView,
    reveals: readonly Submission[],
    submission: Submission,
    read: ReadChunk | null,
  ): Promise<Row | null> {
    const { federation, signer, report } = this.context;
    const { asked, answers, opened } = await this.readAnswers(view, submission);
    const tree = read === null ? null : await this.treeOf(submission, read);
    if (tree !== null) {
      // Of several lies each answer may bare one, which is quicker than waiting for the silence that ends the descent.
      const step = nextUpdateChunk(this.layout, submission, tree, answers);
      const lie = step.kind === 'lie' ? await badSumOpening(this.layout, tree, read!, step.at) : null;
      if (lie !== null && (await this.convict(view, reveals, submission, lie))) return null;
    }
    const missing = missingChunks(this.layout, submission, tree, opened);
    if (missing.length === 0) return { submission, cid: await this.patch(submission, read, opened) };
    const revealed = reveals.map(revealedUpdate);
    const challenge = async (chunk: number): Promise<void> => {
      const wanted = { kind: 'update' as const, round: view.number, index: submission.index, chunk };
      const { challenge: opened, sent } = await challengeAvailability(federation, signer, wanted, revealed, null);
      report({
        type: 'challenged',
        round: view.number,
        participant: submission.participant,
        chunk,
        challenge: opened.id,
        bond: opened.bond,
        answerBy: opened.answerBy,
        transaction: sent.hash,
        gasUsed: sent.gasUsed,
      });
    };
    await together(
      missing.filter((index) => !asked.has(index)).slice(0, LARGEST_BATCH),
      challenge,
      federation.parameters.stakeToken !== ZERO_ADDRESS,
    );
    return null;
  }

  /** What anybody has asked of this submission, and what was answered. */
  private async readAnswers(
    view: RoundView,
    submission: Submission,
  ): Promise<{ asked: Set<number>; answers: Map<number, Uint8Array>; opened: Map<number, OpenedChunk> }> {
    const { federation } = this.context;
    const challenges = (await openedChallenges(federation, { round: BigInt(view.number) })).filter(
      ({ kind, index }) => kind === 'update' && index === submission.index,
    );
    const asked = new Set<number>();
    const answers = new Map<number, Uint8Array>();
    const opened = new Map<number, OpenedChunk>();
    if (challenges.length === 0) return { asked, answers, opened };
    const byChallenge = await answersOf(federation, view.number);
    for (const { id, chunk } of challenges) {
      const { root, challenger } = await challengeState(federation, id);
      // A challenge of an earlier opening of the round asked for another update, and is over.
      if (root !== submission.root || BigInt(challenger) === 0n) continue;
      asked.add(chunk);
      const answer = byChallenge.get(id);
      const opening = answer === undefined ? null : openUpdateAnswer(submission, this.layout, chunk, answer);
      if (answer === undefined || opening === null) continue;
      answers.set(chunk, answer);
      opened.set(chunk, opening);
    }
    return { asked, answers, opened };
  }

  /** Puts the payload together from the answers, and from the bytes at hand where those are right. */
  private async patch(
    submission: Submission,
    read: ReadChunk | null,
    opened: ReadonlyMap<number, OpenedChunk>,
  ): Promise<string> {
    const { chunkCount } = this.layout;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < chunkCount; index++) yield opened.get(index)?.chunk ?? (await read!(index));
    }
    const { cid } = await this.context.payloads.store.put(chunks());
    await this.patched.set(submission.root, cid);
    return cid;
  }

  private reads(cid: string): ReadChunk {
    return chunkReads(this.context.payloads.store, cid, this.layout.chunkSize * UPDATE_COORDINATE_BYTES);
  }
}

function lieKey({ root, normSq, cid }: Submission): string {
  return `${root} ${normSq} ${cidFromBytes(cid)}`;
}

/** In one block rather than in one each; but of a token, an allowance is for one payment. Throws the first failure. */
async function together<T>(items: readonly T[], act: (item: T) => Promise<void>, oneByOne: boolean): Promise<void> {
  if (oneByOne) {
    for (const item of items) await act(item);
    return;
  }
  const done = await Promise.allSettled(items.map(act));
  for (const result of done) if (result.status === 'rejected') throw result.reason;
}

/**
 * Fetches and checks what the participants of a round revealed. Who counts is not this aggregator's choice: what is
 * not valid here, because its bytes disprove what was revealed or because nobody serves it, is taken to the chain
 * (disputeUpdates.ts).
 */
import type { BulkHasher } from '../protocol/commitment/bulkHasher.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import type { VectorLayout } from '../protocol/encoding/layout.ts';
import { updatePayloadLength } from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import { layoutOf } from '../protocol/round/parameters.ts';
import type { UpdateFacts } from '../protocol/round/roundIo.ts';
import type { Submission } from '../protocol/round/submission.ts';
import { PROVABLY_INVALID } from '../storage/fetchPayload.ts';
import type { PayloadAccess } from '../storage/payloadAccess.ts';
import { ArrivingUpdate } from './arrivingUpdate.ts';
import type { AggregatorContext } from './context.ts';
import { commitStoredUpdate } from './storedVectors.ts';

export interface Exclusion {
  readonly submission: Submission;
  readonly reason: 'invalid' | 'unavailable';
  readonly detail: string;
  /** Whether the payload is in the store with the right length: a lie about its sums can be looked for. */
  readonly readable: boolean;
}

export interface Collected {
  readonly valid: readonly Submission[];
  readonly excluded: readonly Exclusion[];
}

/** What a check of one submission said; kept by CID, since the bytes under a CID never change. */
type Verdict = { readonly ok: true } | { readonly ok: false; readonly detail: string; readonly readable: boolean };

export class UpdateCollector {
  private readonly hasher: BulkHasher | null;
  private readonly payloads: PayloadAccess;
  private readonly layout: VectorLayout;
  private readonly verdicts = new Map<string, Promise<Verdict>>();

  constructor({ engine, payloads, federation }: Pick<AggregatorContext, 'engine' | 'payloads' | 'federation'>) {
    this.hasher = engine.hasher;
    this.payloads = payloads;
    this.layout = layoutOf(federation.parameters);
  }

  /** Starts on reveals while others are still to come, so that little is left when the phase closes. */
  prefetch(submissions: readonly Submission[]): void {
    for (const submission of submissions) this.check(submission).catch(() => undefined); // asked again by `collect`
  }

  /**
   * Checks all submissions at once (so that those which stall hold up no others), asking again for those that nobody
   * serves while `patience` lasts.
   * @throws AssayError for what is wrong at this node (a full disk), never for what is wrong with a participant.
   */
  async collect(submissions: readonly Submission[], patience: Patience): Promise<Collected> {
    const valid: Submission[] = [];
    const excluded: Exclusion[] = [];
    await Promise.all(
      submissions.map(async (submission) => {
        const verdict = await this.checkPatiently(submission, patience);
        if (verdict === 'valid') valid.push(submission);
        else excluded.push({ submission, ...verdict });
      }),
    );
    valid.sort((a, b) => a.index - b.index);
    excluded.sort((a, b) => a.submission.index - b.submission.index);
    return { valid, excluded };
  }

  private async checkPatiently(
    submission: Submission,
    patience: Patience,
  ): Promise<'valid' | Omit<Exclusion, 'submission'>> {
    const over = patience.over.then(() => null);
    for (;;) {
      try {
        const verdict = await Promise.race([this.check(submission), over]);
        if (verdict === null) {
          const detail = 'its payload had not arrived when its share of the turn was over';
          return { reason: 'unavailable', detail, readable: false };
        }
        return verdict.ok ? 'valid' : { reason: 'invalid', detail: verdict.detail, readable: verdict.readable };
      } catch (error) {
        if (!(error instanceof AssayError) || error.code !== 'PAYLOAD_UNAVAILABLE') throw error;
        if (!(await patience.wait())) return { reason: 'unavailable', detail: error.message, readable: false };
      }
    }
  }

  private check(submission: Submission): Promise<Verdict> {
    const cid = cidFromBytes(submission.cid);
    const key = `${cid} ${submission.root} ${submission.normSq}`;
    const known = this.verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = this.fetchAndVerify(submission, cid);
    this.verdicts.set(key, verdict);
    verdict.catch(() => this.verdicts.delete(key)); // unavailable now is not unavailable for ever
    return verdict;
  }

  private async fetchAndVerify(submission: Submission, cid: string): Promise<Verdict> {
    const arriving = new ArrivingUpdate(this.layout, this.hasher);
    try {
      await this.payloads.fetch(cid, {
        expectedBytes: updatePayloadLength(this.layout),
        owner: submission.participant,
        onBytes: (offset, bytes) => arriving.take(offset, bytes),
      });
    } catch (error) {
      if (error instanceof AssayError && PROVABLY_INVALID.has(error.code)) {
        return { ok: false, detail: error.message, readable: false };
      }
      throw error;
    }
    const facts = arriving.facts() ?? (await commitStoredUpdate(this.payloads.store, cid, this.layout, this.hasher));
    return verify(submission, facts);
  }
}

/** How long to go on asking for a payload that nobody serves. */
export interface Patience {
  /** Waits a little; false when there is no time left. */
  wait(): Promise<boolean>;
  /** Resolves when there is no time left, even for a payload that arrives drop by drop. */
  readonly over: Promise<void>;
}

function verify(submission: Submission, { root, normSq, zeroPadded }: UpdateFacts): Verdict {
  const lie = (detail: string): Verdict => ({ ok: false, detail, readable: true });
  if (!zeroPadded) return lie('its padding is not zero');
  if (root !== submission.root) return lie(`its root is ${root}, revealed was ${submission.root}`);
  if (normSq !== submission.normSq) return lie(`its squared norm is ${normSq}, revealed was ${submission.normSq}`);
  return { ok: true };
}

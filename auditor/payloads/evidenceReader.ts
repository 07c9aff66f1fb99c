/** Evidence documents, each fetched and parsed once. */
import { type Evidence, MAX_EVIDENCE_BYTES, parseEvidence } from '../../protocol/round/evidence.ts';
import type { PublishedModel } from '../chain/assembleRounds.ts';
import { cidTextOrNull } from './cidText.ts';
import { wholePayload } from './payload.ts';
import type { PayloadOutcome, PayloadReader } from './payloadReader.ts';

export type ReadEvidence =
  | { readonly status: 'found'; readonly document: Evidence; readonly bytes: number }
  | { readonly status: 'malformed'; readonly reason: string; readonly bytes: number }
  | Exclude<PayloadOutcome, { readonly status: 'found' }>;

/** Evidence documents by publication: the next round asks for the server state's CID in it. */
export class EvidenceReader {
  private readonly payloads: PayloadReader;
  private readonly kept = new Map<PublishedModel, Promise<ReadEvidence>>();

  constructor(payloads: PayloadReader) {
    this.payloads = payloads;
  }

  read(published: PublishedModel): Promise<ReadEvidence> {
    const known = this.kept.get(published);
    if (known !== undefined) return known;
    const evidence = this.fetch(published);
    this.kept.set(published, evidence);
    return evidence;
  }

  private async fetch({ publication, aggregator: owner }: PublishedModel): Promise<ReadEvidence> {
    const cid = cidTextOrNull(publication.evidenceCid);
    if (cid === null) return { status: 'invalid', attempts: ['the CID on the chain is none'] };
    const outcome = await this.payloads.read({ cid, maxBytes: MAX_EVIDENCE_BYTES, owner });
    if (outcome.status !== 'found') return outcome;
    const text = await wholePayload(outcome.payload);
    await outcome.payload.release();
    const bytes = text.length;
    try {
      return { status: 'found', document: parseEvidence(text), bytes };
    } catch (error) {
      return { status: 'malformed', reason: error instanceof Error ? error.message : String(error), bytes };
    }
  }
}

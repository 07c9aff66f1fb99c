/**
 * Rounds that an earlier audit computed anew and found right, so that the next audit does only new ones. A round is
 * remembered under a digest of everything on the chain that its result depends on, block hashes included: a round that
 * was redone, or moved by a reorganisation, has another digest and is audited again. Only rounds that hold are
 * remembered.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { keccak256 } from '../protocol/commitment/keccak.ts';
import { type Hex, toHex } from '../protocol/encoding/bytes.ts';
import { canonicalJson, type Json } from '../protocol/encoding/canonicalJson.ts';
import type { PublishedModel, RoundFacts } from './chain/assembleRounds.ts';
import { type ChainFacts, chainFactsSchema } from './chain/chainFacts.ts';
import { type RoundReport, roundReportSchema } from './report/auditReport.ts';
import { writeFileAtomic } from './writeFileAtomic.ts';

/** Raised when the questions change, so that what older ones let through is asked again. */
const CACHE_FORMAT = 'assay-audit-cache/1';

const cacheSchema = z.strictObject({
  format: z.literal(CACHE_FORMAT),
  rounds: z.record(z.string(), roundReportSchema),
});

export class AuditCache {
  private readonly path: string;
  private readonly rounds: Map<string, RoundReport>;

  private constructor(path: string, rounds: Map<string, RoundReport>) {
    this.path = path;
    this.rounds = rounds;
  }

  /** A file that is missing, damaged or of another format is an empty cache: the rounds are audited anew. */
  static async open(path: string): Promise<AuditCache> {
    try {
      const parsed = cacheSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      return new AuditCache(path, new Map(Object.entries(parsed.rounds)));
    } catch {
      return new AuditCache(path, new Map());
    }
  }

  find(facts: ChainFacts, round: RoundFacts): RoundReport | null {
    return this.rounds.get(roundDigest(facts, round)) ?? null;
  }

  remember(facts: ChainFacts, round: RoundFacts, report: RoundReport): void {
    if (report.ok && report.verified === 'replayed') this.rounds.set(roundDigest(facts, round), report);
  }

  async save(): Promise<void> {
    const rounds = Object.fromEntries(this.rounds);
    await writeFileAtomic(this.path, `${JSON.stringify({ format: CACHE_FORMAT, rounds })}\n`);
  }
}

function roundDigest(facts: ChainFacts, round: RoundFacts): Hex {
  const document: Json = {
    format: CACHE_FORMAT,
    chainId: facts.chainId,
    federation: facts.federation,
    parameters: chainFactsSchema.shape.parameters.encode(facts.parameters) as unknown as Json,
    round: round.round,
    opening: round.opening,
    baseModelRoot: round.baseModelRoot,
    voided: [...round.voided].sort((a, b) => a - b),
    reveals: round.reveals.map(({ submission, place, commitHash, calldata }) => ({
      index: submission.index,
      participant: submission.participant,
      root: submission.root,
      normSq: submission.normSq.toString(),
      cid: toHex(submission.cid),
      block: place.blockHash,
      transaction: place.transactionHash,
      commitHash,
      calldata,
    })),
    published: placeOf(round.published),
    parent: placeOf(round.parent?.published ?? null),
  };
  return keccak256(new TextEncoder().encode(canonicalJson(document)));
}

function placeOf(published: PublishedModel | null): Json {
  if (published === null) return null;
  const { publication, aggregator, place } = published;
  const { modelCid, evidenceCid, ...roots } = publication;
  return {
    ...roots,
    modelCid: toHex(modelCid),
    evidenceCid: toHex(evidenceCid),
    aggregator,
    block: place.blockHash,
    transaction: place.transactionHash,
  };
}

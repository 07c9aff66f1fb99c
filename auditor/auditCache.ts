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
import { AssayError } from '../protocol/errors.ts';
import type { PublishedModel, RoundFacts } from './chain/assembleRounds.ts';
import { type ChainFacts, chainFactsSchema } from './chain/chainFacts.ts';
import { type RoundReport, roundReportSchema } from './report/auditReport.ts';
import { writeFileAtomic } from './writeFileAtomic.ts';

/** Raised when the questions change, so that what older ones let through is asked again. */
const CACHE_FORMAT = 'assay-audit-cache/3';

/** How every version of this file begins, whole or cut short. */
const OWN_BEGINNING = /^\s*\{\s*"format"\s*:\s*"assay-audit-cache\//;

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

  /**
   * A file that is missing or empty, and a memory that is damaged or of another version, is an empty cache: the rounds
   * are audited anew. Any other file is somebody's and would be overwritten by `save`.
   *
   * @throws AssayError AUDIT_MEMORY
   */
  static async open(path: string): Promise<AuditCache> {
    const text = await readMemory(path);
    if (text.trim() === '') return new AuditCache(path, new Map());
    if (!OWN_BEGINNING.test(text)) throw notMemory(path, 'a file of another kind');
    try {
      const parsed = cacheSchema.parse(JSON.parse(text));
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

async function readMemory(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw notMemory(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function notMemory(path: string, received: string, cause?: unknown): AssayError {
  return new AssayError('AUDIT_MEMORY', {
    summary: `${path} is not the memory of an audit`,
    expected: 'a file that an audit wrote with --memory, or the name of a new one',
    received,
    fix: 'name another file; this one was left as it is',
    cause,
  });
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
    reward: round.reward === null ? null : round.reward.toString(),
    distributed: round.distribution?.place.transactionHash ?? null,
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

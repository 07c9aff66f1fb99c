/**
 * The audit of a federation from public evidence alone: an RPC endpoint, the contract's address, any gateway. Rounds
 * are audited at the same time: each starts from what was published before it, not from what was computed before it.
 */
import { ruleName } from '../protocol/aggregation/rule.ts';
import type { Finding } from '../protocol/dispute/finding.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';
import { modelPayloadLength, updatePayloadLength } from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import { chooseEngine } from '../protocol/round/engine/chooseEngine.ts';
import type { EngineName } from '../protocol/round/engine/roundEngine.ts';
import {
  checkLearningParameters,
  type LearningParameters,
  layoutOf,
  NO_NORM_BOUND,
} from '../protocol/round/parameters.ts';
import { AuditCache } from './auditCache.ts';
import type { AuditContext } from './auditContext.ts';
import { auditRound, chainContradictions, type RoundAudit } from './auditRound.ts';
import { assembleRounds, type RoundFacts } from './chain/assembleRounds.ts';
import type { ChainFacts, ChainReader } from './chain/chainFacts.ts';
import { checkFederation } from './chain/checkChain.ts';
import { decodeEvents, type FederationEvent } from './chain/decodeEvents.ts';
import { rpcChainReader } from './chain/readChain.ts';
import { answeredChunks } from './disputes/answers.ts';
import { type FiledDispute, fileProofs, withProofs } from './disputes/proofFiles.ts';
import { finding } from './finding.ts';
import { cidTextOrNull } from './payloads/cidText.ts';
import { EvidenceReader } from './payloads/evidenceReader.ts';
import { gatewayReader } from './payloads/gatewayReader.ts';
import type { PayloadReader } from './payloads/payloadReader.ts';
import { registeredGateways } from './payloads/registeredGateways.ts';
import { Snapshots } from './payloads/snapshots.ts';
import { Spools } from './payloads/spool.ts';
import type { RevealedRoots } from './questions/chainQuestions.ts';
import { justiceHolds } from './questions/justiceQuestions.ts';
import { payloadsOf, type Replay, type Replayer } from './replay/replayRound.ts';
import { AUDIT_FORMAT, type AuditReport, type RoundReport } from './report/auditReport.ts';

export type AuditProgress =
  | { readonly type: 'chain'; readonly message: string }
  | { readonly type: 'retry'; readonly message: string }
  | { readonly type: 'round'; readonly report: RoundReport };

/** What an audit covers and how hard it works, whatever its sources. */
export interface AuditScope {
  /** First and last round to audit; default all. */
  readonly rounds?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
  /** File that remembers rounds which held, between audits. Default: none. */
  readonly cachePath?: string | undefined;
  /** Rounds at a time, at most; fewer where memory would not do. Default 4. */
  readonly concurrency?: number | undefined;
  /** What computes the rounds anew. Default: wasm; a few chunks of each are computed by the reference in any case. */
  readonly engine?: EngineName | undefined;
  /** Threads that compute; 1: this one. Default: as many as there are processors, where a model is large enough. */
  readonly threads?: number | undefined;
  /** Folder for payloads that do not fit into memory, while they are needed. Default: the system's for such files. */
  readonly workFolder?: string | undefined;
  /** Bytes of payloads that may lie in memory. Default 128 MiB. */
  readonly memoryBytes?: number | undefined;
  readonly onProgress?: ((progress: AuditProgress) => void) | undefined;
  /** Folder in which proofs of what is wrong are written. Default: none are. */
  readonly proofFolder?: string | undefined;
  /** Told of each round that is not right what can be done about it, with the file of each proof. */
  readonly onDisputes?: ((disputes: readonly FiledDispute[]) => void) | undefined;
}

export interface AuditOptions extends AuditScope {
  readonly rpcUrl: string;
  /** Address of the federation's contract. */
  readonly federation: string;
  /** Base URLs of trustless gateways, best first. */
  readonly gateways: readonly string[];
  /** Refuse any other chain. */
  readonly chainId?: number | undefined;
  readonly fromBlock?: number | undefined;
  /** Also ask gateways that members announced on-chain beyond this machine. Default false. */
  readonly anyGateway?: boolean | undefined;
  /** Longest silence of a gateway, in milliseconds. Default 10,000. */
  readonly idleMilliseconds?: number | undefined;
  /** How often a question to the node is asked. Default 5. */
  readonly attempts?: number | undefined;
}

/**
 * Audits a federation over RPC and gateways.
 *
 * @throws AssayError when the chain cannot be read (`RPC_UNREACHABLE`, `WRONG_CHAIN`, `NO_CONTRACT`,
 *   `NOT_A_FEDERATION`, ...). What participants, aggregators and gateways do never throws: it is a finding.
 * @example
 * const gateways = ['http://127.0.0.1:9000'];
 * const report = await auditFederation({ rpcUrl: 'http://127.0.0.1:8545', federation, gateways });
 * process.exitCode = report.ok ? 0 : 1;
 */
export function auditFederation(options: AuditOptions): Promise<AuditReport> {
  const { rpcUrl, federation, gateways, chainId, fromBlock, attempts, onProgress } = options;
  const onRetry = (message: string) => onProgress?.({ type: 'retry', message });
  const chain = rpcChainReader({ rpcUrl, federation, chainId, fromBlock, attempts, onRetry });
  return auditFrom(chain, (events, spools) => networkPayloads(events, gateways, spools, options), options);
}

/** A reader over the gateways given and those that members announced on-chain. */
export function networkPayloads(
  events: readonly FederationEvent[],
  gateways: readonly string[],
  spools: Spools,
  { anyGateway = false, idleMilliseconds }: Pick<AuditOptions, 'anyGateway' | 'idleMilliseconds'>,
): PayloadReader {
  const ownGateway = registeredGateways(events, anyGateway);
  const all = [...gateways, ...new Set(ownGateway.values())];
  return gatewayReader({ gateways: all, ownGateway, idleMilliseconds, spools });
}

/** A proof needs all nodes of some trees at once; whoever creates a federation chooses how many there are. */
const MAX_CHUNKS = 2 ** 22;

/** @throws AssayError `MODEL_TOO_LARGE` before anything of the size that the contract names is asked for. */
function checkModelSize(parameters: Pick<LearningParameters, 'dimension' | 'chunkSize'>): void {
  const { chunkCount, chunkSize } = layoutOf(parameters);
  if (chunkCount <= MAX_CHUNKS) return;
  throw new AssayError('MODEL_TOO_LARGE', {
    summary: 'the federation has a larger model than this version audits',
    expected: `vectors of at most ${MAX_CHUNKS} chunks`,
    received: `${chunkCount} (${parameters.dimension} coordinates in chunks of ${chunkSize})`,
    fix: 'make sure that this is the federation you mean: its creator chose that number',
  });
}

/** The audit itself, over any source of chain facts and payloads. */
export async function auditFrom(
  chain: ChainReader,
  payloadsFor: (events: readonly FederationEvent[], spools: Spools) => PayloadReader,
  scope: AuditScope,
): Promise<AuditReport> {
  const started = performance.now();
  const facts = await chain.readChain();
  const events = decodeEvents(facts.logs);
  const rounds = assembleRounds(facts, events);
  const inScope = selectRounds(rounds, scope);
  const message = `read ${facts.logs.length} events up to block ${facts.head.number}: ${inScope.length} of ${rounds.length} rounds to audit`;
  scope.onProgress?.({ type: 'chain', message });
  checkLearningParameters(facts.parameters);
  checkModelSize(facts.parameters);

  const spools = new Spools({ folder: scope.workFolder, memoryBytes: scope.memoryBytes });
  const engine = chooseEngine(scope.engine ?? 'wasm', scope.threads);
  try {
    const cache = scope.cachePath === undefined ? null : await AuditCache.open(scope.cachePath);
    const wantsDisputes = scope.proofFolder !== undefined || scope.onDisputes !== undefined;
    const payloads = payloadsFor(events, spools);
    const context = auditContext(facts, events, rounds, payloads, { engine, spools }, wantsDisputes);
    const federationFindings: Finding[] = [...checkFederation(facts, events, rounds), ...justiceHolds(facts, events)];
    const genesis = inScope.some(({ parent, published }) => parent === null && published !== null)
      ? genesisHolds(context)
      : [];
    const reports = await auditRounds(context, inScope, scope, cache);
    await cache?.save();
    federationFindings.push(...(await genesis));
    const ofFederation = federationFindings.map((each) => ({ ...each, proof: null }));
    const findings = [...ofFederation, ...reports.flatMap((report) => report.findings)];
    return {
      format: AUDIT_FORMAT,
      ok: findings.every(({ severity }) => severity !== 'breach') && reports.every((report) => report.ok),
      chainId: facts.chainId,
      federation: facts.federation,
      source: chain.name,
      engine: engine.name,
      head: { number: facts.head.number, hash: facts.head.hash, timestamp: facts.head.timestamp },
      parameters: describeParameters(facts),
      currentRound: facts.currentRound,
      lastFinalRound: facts.lastFinalRound,
      rounds: reports,
      findings,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await engine.close();
    await spools.close();
  }
}

function selectRounds(rounds: readonly RoundFacts[], { rounds: range }: AuditScope): RoundFacts[] {
  const from = range?.from ?? 1;
  const to = range?.to ?? Number.POSITIVE_INFINITY;
  const selected = rounds.filter(({ round }) => round >= from && round <= to);
  const named = range?.from !== undefined || range?.to !== undefined;
  if (named && selected.length === 0) {
    throw new AssayError('NO_SUCH_ROUND', {
      summary: 'the federation has no such round',
      expected: rounds.length === 0 ? 'no round has opened yet' : `rounds 1 to ${rounds.at(-1)?.round}`,
      received: `${from} to ${range?.to ?? 'the last'}`,
    });
  }
  return selected;
}

interface OpenContext extends AuditContext {
  readonly running: Map<number, Promise<RoundAudit>>;
  /** Replays of rounds that are done, and whose published bytes cannot be used. */
  readonly kept: Map<number, Replay>;
}

function auditContext(
  facts: ChainFacts,
  events: readonly FederationEvent[],
  rounds: readonly RoundFacts[],
  payloads: PayloadReader,
  replayer: Replayer,
  wantsDisputes: boolean,
): OpenContext {
  const layout = layoutOf(facts.parameters);
  const running = new Map<number, Promise<RoundAudit>>();
  return {
    facts,
    layout,
    revealed: revealedRoots(events, rounds),
    payloads,
    snapshots: new Snapshots(payloads, layout, replayer.engine.hasher),
    evidence: new EvidenceReader(payloads),
    replayer,
    answers: answeredChunks(events),
    wantsDisputes,
    running,
    kept: new Map(),
    replayOf: async ({ round }) => (await running.get(round))?.replay ?? null,
  };
}

/**
 * Starts the rounds in order, a few at a time. A round may wait for the replay of the one it builds on, never the other
 * way round, so the order of starting is enough against deadlock.
 */
async function auditRounds(
  context: OpenContext,
  rounds: readonly RoundFacts[],
  scope: AuditScope,
  cache: AuditCache | null,
): Promise<RoundReport[]> {
  const reports: RoundReport[] = [];
  const queue = rounds.map((round, i) => ({ round, i }));
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { round, i } = next;
      // What a cache remembers is the computation; what the chain says of the round now is asked each time.
      const usable = round.published !== null && chainContradictions(context.facts, round).length === 0;
      const remembered = usable ? (cache?.find(context.facts, round) ?? null) : null;
      let report: RoundReport;
      if (remembered !== null) {
        const phase = round.state?.phase ?? round.eventPhase;
        report = { ...remembered, phase, verified: 'remembered', seconds: 0 };
      } else {
        const audit = auditRound(context, round);
        context.running.set(round.round, audit);
        report = await fileDisputes(context.facts, await audit, scope);
        cache?.remember(context.facts, round, report);
        const { replay } = await audit;
        if (replay === null) context.running.delete(round.round);
        else context.kept.set(round.round, replay);
      }
      reports[i] = report;
      await forgetReplays(context, rounds, reports);
      scope.onProgress?.({ type: 'round', report });
    }
  };
  await Promise.all(Array.from({ length: roundsAtATime(context, scope) }, worker));
  return reports;
}

/** A replay is kept while a round may have to start from it: from the model it leads to, or from the one before. */
async function forgetReplays(
  { running, kept }: OpenContext,
  rounds: readonly RoundFacts[],
  reports: readonly (RoundReport | undefined)[],
): Promise<void> {
  if (kept.size === 0) return;
  const waiting = rounds.filter((_, i) => reports[i] === undefined);
  const needed = new Set(waiting.flatMap(({ parent }) => [parent?.round, parent?.parent?.round]));
  for (const [round, replay] of [...kept]) {
    if (needed.has(round)) continue;
    kept.delete(round);
    running.delete(round);
    for (const payload of payloadsOf(replay)) await payload.release();
  }
}

/** Writes down what was proven, and in the report where. */
async function fileDisputes(
  facts: ChainFacts,
  { report, disputes }: RoundAudit,
  { proofFolder, onDisputes }: AuditScope,
): Promise<RoundReport> {
  if (disputes.length === 0) return report;
  const filed = await fileProofs(facts, disputes, proofFolder);
  onDisputes?.(filed);
  return withProofs(report, filed);
}

/** Payloads of the rounds in flight, together: more than lies in memory, so that one round is read while another is computed. */
const PAYLOAD_BYTES = 512 * 2 ** 20;

function roundsAtATime({ facts, layout }: AuditContext, { concurrency = 4 }: AuditScope): number {
  const perRound = facts.parameters.maxParticipants * updatePayloadLength(layout) + 6 * modelPayloadLength(layout);
  return Math.max(1, Math.min(concurrency, Math.floor(PAYLOAD_BYTES / perRound)));
}

/** Every root ever revealed, with whether its round still stands. */
function revealedRoots(events: readonly FederationEvent[], rounds: readonly RoundFacts[]): RevealedRoots {
  const standing = new Set(
    rounds.flatMap(({ reveals }) =>
      reveals.map(({ place, submission }) => `${place.transactionHash}/${place.logIndex}/${submission.index}`),
    ),
  );
  const revealed = new Map<Hex, { participant: Hex; round: number; standing: boolean }[]>();
  for (const event of events) {
    if (event.name !== 'updateRevealed') continue;
    const { submission, round, place } = event;
    const list = revealed.get(submission.root) ?? [];
    list.push({
      participant: submission.participant,
      round,
      standing: standing.has(`${place.transactionHash}/${place.logIndex}/${submission.index}`),
    });
    revealed.set(submission.root, list);
  }
  return revealed;
}

/** Are the bytes of the model that round 1 starts from there, with the root that the parameters fix? */
async function genesisHolds({ facts, snapshots }: AuditContext): Promise<Finding[]> {
  const { genesisModelCid, genesisModelRoot } = facts.parameters;
  const cid = cidTextOrNull(genesisModelCid);
  const unknown = { accused: null, role: 'unknown' } as const;
  const reader = {};
  const model = cid === null ? null : await snapshots.read(cid, null, reader);
  await snapshots.done(reader);
  if (model === null || model.status !== 'found') {
    const received = model === null ? 'no CID' : model.attempts.join('; ');
    const kind = model?.status === 'unavailable' ? 'payloadUnavailable' : 'payloadInvalid';
    return [finding(kind, 0, unknown, 'The model that the federation starts from cannot be had.', { received })];
  }
  if (model.root === genesisModelRoot) return [];
  const message = 'The bytes of the model that the federation starts from do not have the root its parameters name.';
  return [finding('modelPayloadMismatch', 0, unknown, message, { expected: genesisModelRoot, received: model.root })];
}

function describeParameters({ parameters }: ChainFacts): AuditReport['parameters'] {
  const { rule, serverStep, normSqBound, dimension, chunkSize, minUpdates, challengeWindowSeconds } = parameters;
  return {
    rule: ruleName(rule),
    byzantine: rule.byzantine,
    serverOptimizer: serverStep.optimizer,
    enforced: parameters.enforced,
    dimension,
    chunkSize,
    normSqBound: normSqBound === NO_NORM_BOUND ? null : normSqBound.toString(),
    minUpdates,
    challengeWindowSeconds,
    totalRounds: parameters.totalRounds,
    genesisModelRoot: parameters.genesisModelRoot,
  };
}

/**
 * The audit of one round that was aggregated without a chain: what a contract would have said about it, and the payloads
 * from the aggregator's own store over a gateway, as an auditor really gets them.
 */

import type { AggregatedRound } from '../../aggregator/aggregateRound.ts';
import { auditFrom } from '../../auditor/auditFederation.ts';
import type { ChainFacts, LogFact, RoundState } from '../../auditor/chain/chainFacts.ts';
import { federationInterface } from '../../auditor/chain/decodeEvents.ts';
import { gatewayReader } from '../../auditor/payloads/gatewayReader.ts';
import type { AuditReport } from '../../auditor/report/auditReport.ts';
import { isEnforceable } from '../../protocol/aggregation/rule.ts';
import { commitHash } from '../../protocol/commitment/commitHash.ts';
import { keccak256 } from '../../protocol/commitment/keccak.ts';
import { type Hex, toHex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import type { EngineName } from '../../protocol/round/engine/roundEngine.ts';
import { EVIDENCE_FORMAT, encodeEvidence } from '../../protocol/round/evidence.ts';
import { type FederationParameters, type LearningParameters, NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { type Publication, publicationHash, submissionSet } from '../../protocol/round/publication.ts';
import { accumulate, type Submission } from '../../protocol/round/submission.ts';
import { startGateway } from '../../storage/gateway.ts';
import type { PayloadStore } from '../../storage/payloadStore.ts';

export interface PublishedRound {
  readonly parameters: LearningParameters;
  /** In row order, each with the commitment of its payload. */
  readonly updates: readonly { readonly cid: string; readonly root: Hex; readonly normSq: bigint }[];
  readonly genesis: { readonly cid: string; readonly root: Hex };
  readonly aggregated: Pick<
    AggregatedRound,
    'roots' | 'modelCid' | 'stateCid' | 'gramCid' | 'gram' | 'mixing' | 'trimmed'
  >;
  /** The seed that the aggregator computed with. */
  readonly seed: Hex;
}

export interface AuditSettings {
  readonly engine?: EngineName;
  readonly threads?: number;
  /** For the payloads that the audit fetches. */
  readonly workFolder?: string;
}

/** All payloads lie in `store`, to which the evidence document is added. */
export async function auditPublishedRound(
  store: PayloadStore,
  round: PublishedRound,
  settings: AuditSettings = {},
): Promise<AuditReport> {
  const facts = await factsOf(store, round);
  const gateway = await startGateway({ store });
  try {
    const chain = { name: 'bench', readChain: async () => facts };
    return await auditFrom(chain, (_, spools) => gatewayReader({ gateways: [gateway.url], spools }), settings);
  } finally {
    await gateway.close();
  }
}

const CHAIN_ID = 31337;
const FEDERATION = account(0xfe);
const AGGREGATOR = account(0xa0);
const START = 1_700_000_000;
const WINDOW_SECONDS = 600;

async function factsOf(store: PayloadStore, round: PublishedRound): Promise<ChainFacts> {
  const { updates, genesis, aggregated, seed } = round;
  const n = updates.length;
  const chain = new Logs();
  const submissions = updates.map(
    ({ cid, root, normSq }, index): Submission => ({
      ...{ index, participant: account(0x10 + index), root, normSq },
      cid: cidToBytes(cid),
    }),
  );
  for (const { participant, index } of submissions) chain.emit('ParticipantRegistered', [participant, index, 1n, '']);
  chain.emit('AggregatorRegistered', [AGGREGATOR, 1n, 1, '']);
  chain.emit('RoundOpened', [1, 1, genesis.root, n]);
  chain.emit('CommitPhaseOpened', [1, n, chain.clock + WINDOW_SECONDS]);
  for (const submission of submissions) {
    const place = { chainId: CHAIN_ID, federation: FEDERATION, round: 1, baseModelRoot: genesis.root };
    const sealed = commitHash({ ...place, ...submission, salt: ZERO_HASH });
    chain.emit('UpdateCommitted', [1, submission.participant, sealed]);
  }
  chain.emit('RevealPhaseOpened', [1, n, chain.clock + WINDOW_SECONDS]);
  let accumulator: Hex = ZERO_HASH;
  const revealCalldata: Record<string, Hex> = {};
  for (const submission of submissions) {
    const { participant, index, root, normSq, cid } = submission;
    const transaction = chain.emit('UpdateRevealed', [1, participant, index, root, normSq, toHex(cid)]);
    const call = [1, root, normSq, toHex(cid), ZERO_HASH];
    revealCalldata[transaction] = federationInterface.encodeFunctionData('revealUpdate', call) as Hex;
    accumulator = accumulate(accumulator, submission);
  }
  chain.emit('AggregatePhaseOpened', [1, 0, AGGREGATOR, chain.clock + WINDOW_SECONDS]);
  const { roots, gram, mixing, trimmed, stateCid, gramCid } = aggregated;
  const evidence = encodeEvidence({
    ...{ format: EVIDENCE_FORMAT, chainId: CHAIN_ID, federation: FEDERATION, round: 1, baseModelRoot: genesis.root },
    ...{ ...roots, stateCid, gramCid },
    submissions: submissions.map(({ index, participant, root, normSq }, row) => ({
      ...{ index, participant, root, normSq: normSq.toString(), cid: updates[row]!.cid },
      trimmed: trimmed?.[row] ?? null,
    })),
    gram: gram === null ? null : Array.from(gram.values, String),
    mixing: mixing === null ? null : { ...mixing, weights: [...mixing.weights] },
    metrics: null,
  });
  const publication: Publication = {
    ...roots,
    submissionSet: submissionSet(accumulator, 0n),
    modelCid: cidToBytes(aggregated.modelCid),
    evidenceCid: cidToBytes((await store.put(evidence)).cid),
  };
  const binary = [toHex(publication.modelCid), toHex(publication.evidenceCid)];
  const words = [roots.modelRoot, roots.stateRoot, roots.gramRoot, roots.mixingHash, publication.submissionSet];
  const publishedAt = chain.clock;
  chain.emit('RoundPublished', [1, AGGREGATOR, ...words, ...binary]);
  const state: RoundState = {
    ...{ number: 1, phase: 'challenge', opening: 1, deadline: 0, expected: n, committed: n, revealed: n },
    ...{ turn: 0, leader: account(0), accumulator, seed, baseModelRoot: genesis.root, modelRoot: roots.modelRoot },
    ...{ publicationHash: publicationHash(publication), aggregator: AGGREGATOR, publishedAt, voidedBitmap: 0n },
    ...{ openChallenges: 0, holdUntil: 0 },
  };
  return {
    ...{ chainId: CHAIN_ID, federation: FEDERATION, head: chain.blocks.at(-1)!, parameters: parametersOf(round) },
    ...{ currentRound: 1, lastFinalRound: 0, totalBurned: 0n, balance: BigInt(n + 1) },
    aggregators: [{ account: AGGREGATOR, activeFromRound: 1, activeUntilRound: 2 ** 32 - 1 }],
    ...{ rounds: [state], logs: chain.logs, revealCalldata, blocks: chain.blocks, receipts: [] },
  };
}

function parametersOf({ parameters, updates, genesis }: PublishedRound): FederationParameters {
  return {
    ...parameters,
    normSqBound: NO_NORM_BOUND,
    enforced: isEnforceable(parameters.rule),
    manifestCid: cidToBytes(genesis.cid), // nobody looks at the manifest
    genesisModelRoot: genesis.root,
    genesisModelCid: cidToBytes(genesis.cid),
    ...{ openMembership: true, minParticipants: updates.length, minUpdates: 1, maxParticipants: 100, totalRounds: 1 },
    ...{ participantStake: 1n, aggregatorStake: 1n, missedRevealPenalty: 1n, missedTurnPenalty: 1n },
    ...{ commitWindowSeconds: WINDOW_SECONDS, revealWindowSeconds: WINDOW_SECONDS },
    ...{ aggregateWindowSeconds: WINDOW_SECONDS, challengeWindowSeconds: WINDOW_SECONDS },
    ...{ withdrawalDelaySeconds: 60, answerWindowSeconds: 60, stakeToken: account(0) },
    ...{ proofBond: 1n, bondGasPrice: 1n, roundReward: 0n, aggregatorRewardBps: 0, contributionRewardBps: 0 },
  };
}

/** A chain of one log a block, one second a block. */
class Logs {
  readonly logs: LogFact[] = [];
  readonly blocks: ChainFacts['blocks'] = [];
  clock = START;

  /** Hash of the transaction. */
  emit(name: string, args: readonly unknown[]): Hex {
    const number = this.blocks.length + 1;
    const hash = hashOf(`block ${number}`);
    const transactionHash = hashOf(`transaction ${number}`);
    const { topics, data } = federationInterface.encodeEventLog(name, [...args]);
    const parentHash = this.blocks.at(-1)?.hash ?? ZERO_HASH;
    this.blocks.push({ number, hash, parentHash, timestamp: this.clock++ });
    const place = { blockNumber: number, blockHash: hash, transactionHash, logIndex: 0 };
    this.logs.push({ address: FEDERATION, topics: topics.map((t) => t as Hex), data: data as Hex, ...place });
    return transactionHash;
  }
}

function hashOf(text: string): Hex {
  return keccak256(new TextEncoder().encode(text));
}

function account(byte: number): Hex {
  return `0x${byte.toString(16).padStart(2, '0').repeat(20)}`;
}

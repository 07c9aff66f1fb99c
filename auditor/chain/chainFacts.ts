/**
 * Everything an audit takes from the chain, read once at one block: parameters, the contract's own state, its raw logs
 * and the calldata of the reveals. The live reader and an evidence bundle both end here, so both are asked the same
 * questions. This schema is the chain part of a bundle: docs/spec/evidence.md.
 */
import { z } from 'zod';
import { COMBINES, PRE_AGGREGATIONS } from '../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS } from '../../protocol/aggregation/serverStep.ts';
import { fromHex, type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';

const hexText = z.string().regex(/^0x([0-9a-f]{2})*$/) as unknown as z.ZodType<Hex, Hex>;
const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex, Hex>;
const address = z.string().regex(/^0x[0-9a-f]{40}$/) as unknown as z.ZodType<Hex, Hex>;
const count = z.number().int().min(0);
const bigInteger = z.codec(z.string().regex(/^\d{1,78}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});
const byteString = z.codec(
  z.string().regex(/^0x([0-9a-f]{2})*$/),
  z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  {
    decode: (text) => fromHex(text),
    encode: (bytes) => toHex(bytes),
  },
);

const parametersSchema = z.strictObject({
  manifestCid: byteString,
  genesisModelRoot: hex32,
  genesisModelCid: byteString,
  dimension: count,
  chunkSize: count,
  modelFractionBits: count,
  updateFractionBits: count,
  normSqBound: bigInteger,
  rule: z.strictObject({
    preAggregations: z.array(z.enum(PRE_AGGREGATIONS).exclude(['none'])).readonly(),
    combine: z.enum(COMBINES),
    byzantine: count,
    selected: count,
    bucketSize: count,
    iterations: count,
    reference: count,
    radius: bigInteger,
  }),
  serverStep: z.strictObject({
    optimizer: z.enum(SERVER_OPTIMIZERS),
    learningRateQ16: count,
    momentumQ16: count,
    secondMomentQ16: count,
    adaptivity: count,
  }),
  enforced: z.boolean(),
  openMembership: z.boolean(),
  minParticipants: count,
  minUpdates: count,
  maxParticipants: count,
  totalRounds: count,
  participantStake: bigInteger,
  aggregatorStake: bigInteger,
  missedRevealPenalty: bigInteger,
  missedTurnPenalty: bigInteger,
  commitWindowSeconds: count,
  revealWindowSeconds: count,
  aggregateWindowSeconds: count,
  challengeWindowSeconds: count,
  withdrawalDelaySeconds: count,
  stakeToken: address,
  answerWindowSeconds: count,
  proofBond: bigInteger,
  bondGasPrice: bigInteger,
  roundReward: bigInteger,
  aggregatorRewardBps: count,
  contributionRewardBps: count,
});

/** The contract's view of one round, as of the block of the audit. */
const roundStateSchema = z.strictObject({
  number: count,
  phase: z.enum(ROUND_PHASES),
  opening: count,
  deadline: count,
  expected: count,
  committed: count,
  revealed: count,
  turn: count,
  leader: address,
  accumulator: hex32,
  seed: hex32,
  baseModelRoot: hex32,
  modelRoot: hex32,
  publicationHash: hex32,
  aggregator: address,
  publishedAt: count,
  voidedBitmap: bigInteger,
  /** Availability challenges of the round that wait for an answer. */
  openChallenges: count,
  /** Unix seconds before which challenges keep the round from becoming final; 0 when none did. */
  holdUntil: count,
});

const blockSchema = z.strictObject({
  number: count,
  hash: hex32,
  parentHash: hex32,
  /** Unix seconds. */
  timestamp: count,
});

const logSchema = z.strictObject({
  address,
  topics: z.array(hex32),
  data: hexText,
  blockNumber: count,
  blockHash: hex32,
  transactionHash: hex32,
  logIndex: count,
});

const receiptSchema = z.strictObject({
  transactionHash: hex32,
  blockNumber: count,
  from: address,
  to: address.nullable(),
  gasUsed: count,
  status: count.nullable(),
});

const aggregatorSchema = z.strictObject({
  account: address,
  activeFromRound: count,
  activeUntilRound: count,
});

export const chainFactsSchema = z.strictObject({
  chainId: count,
  federation: address,
  /** The block at which all state was read. */
  head: blockSchema,
  parameters: parametersSchema,
  currentRound: count,
  lastFinalRound: count,
  totalBurned: bigInteger,
  /** What the contract holds of the coin in which stakes are paid. */
  balance: bigInteger,
  /** Registered now, in the order of the rotation, with the rounds in which each stands in it. */
  aggregators: z.array(aggregatorSchema),
  /** Rounds 1.. in order. */
  rounds: z.array(roundStateSchema),
  /** All logs of the contract up to `head`, in order. */
  logs: z.array(logSchema),
  /** Calldata of the transactions that revealed updates, by transaction hash: the only place where a salt is public. */
  revealCalldata: z.record(z.string(), hexText),
  /** Headers: of every publication, in a bundle of every log. */
  blocks: z.array(blockSchema),
  /** In a bundle; a live audit does not need them. */
  receipts: z.array(receiptSchema),
});

export type ChainFacts = z.output<typeof chainFactsSchema>;
export type RoundState = z.output<typeof roundStateSchema>;
export type BlockFact = z.output<typeof blockSchema>;
export type LogFact = z.output<typeof logSchema>;
export type ReceiptFact = z.output<typeof receiptSchema>;

/** Where an audit's chain facts come from: a node's RPC endpoint, or an evidence bundle. */
export interface ChainReader {
  readonly name: string;
  /** @throws AssayError when the source itself fails; what a dishonest peer wrote on the chain never throws. */
  readChain(): Promise<ChainFacts>;
}

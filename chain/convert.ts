/** Between the contract's structs, as viem decodes them, and the protocol's types. */
import { type Address, bytesToHex, type ContractFunctionReturnType, hexToBytes } from 'viem';
import { COMBINES, packStages, type Rule, unpackStages } from '../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS, type ServerStep } from '../protocol/aggregation/serverStep.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { FederationParameters } from '../protocol/round/parameters.ts';
import { ROUND_PHASES, type RoundPhase } from '../protocol/round/phases.ts';
import type { federationAbi } from './abi/federation.ts';

type RawParameters = ContractFunctionReturnType<typeof federationAbi, 'view', 'parameters'>;
type RawRound = ContractFunctionReturnType<typeof federationAbi, 'view', 'round'>;

/** A round as of now: transitions whose deadline has passed count as done. */
export interface RoundView {
  readonly number: number;
  readonly phase: RoundPhase;
  /** Grows with every round opened or reopened; never repeats. */
  readonly opening: number;
  /** Unix seconds of the chain; 0 when the phase has none. */
  readonly deadline: number;
  readonly expected: number;
  readonly committed: number;
  readonly revealed: number;
  readonly turn: number;
  readonly leader: Address;
  readonly accumulator: Hex;
  readonly seed: Hex;
  readonly baseModelRoot: Hex;
  readonly modelRoot: Hex;
  readonly publicationHash: Hex;
  readonly aggregator: Address;
  readonly publishedAt: number;
  readonly voidedBitmap: bigint;
  /** Availability challenges of the round that wait for an answer. */
  readonly openChallenges: number;
  /** Unix seconds before which challenges keep the round from becoming final; 0 when none did. */
  readonly holdUntil: number;
}

export function toRoundView(raw: RawRound): RoundView {
  return {
    ...raw,
    number: Number(raw.number),
    phase: ROUND_PHASES[raw.phase]!,
    deadline: Number(raw.deadline),
    publishedAt: Number(raw.publishedAt),
    holdUntil: Number(raw.holdUntil),
  };
}

export function toParameters(raw: RawParameters): FederationParameters {
  return {
    ...raw,
    manifestCid: hexToBytes(raw.manifestCid),
    genesisModelCid: hexToBytes(raw.genesisModelCid),
    dimension: Number(raw.dimension),
    rule: toRule(raw.rule),
    serverStep: { ...raw.serverStep, optimizer: SERVER_OPTIMIZERS[raw.serverStep.optimizer]! },
  };
}

export function fromParameters(parameters: FederationParameters): RawParameters {
  const { rule, serverStep } = parameters;
  return {
    ...parameters,
    manifestCid: bytesToHex(parameters.manifestCid),
    genesisModelCid: bytesToHex(parameters.genesisModelCid),
    dimension: BigInt(parameters.dimension),
    rule: fromRule(rule),
    serverStep: fromServerStep(serverStep),
  };
}

function toRule({ referenceIndex, ...rule }: RawParameters['rule']): Rule {
  return {
    ...rule,
    preAggregations: unpackStages(rule.preAggregations),
    combine: COMBINES[rule.combine]!,
    reference: referenceIndex,
  };
}

/** The contract's struct `Rule`. (`reference` is a word that Solidity keeps for itself.) */
export function fromRule({ reference, ...rule }: Rule): RawParameters['rule'] {
  return {
    ...rule,
    preAggregations: packStages(rule.preAggregations),
    combine: COMBINES.indexOf(rule.combine),
    referenceIndex: reference,
  };
}

/** The contract's struct `ServerStep`. */
export function fromServerStep(step: ServerStep): RawParameters['serverStep'] {
  return { ...step, optimizer: SERVER_OPTIMIZERS.indexOf(step.optimizer) };
}

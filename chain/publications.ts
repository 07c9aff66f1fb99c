/** Which publications stand: a voided one is gone, and with it every later round's. */
import { type Address, hexToBytes } from 'viem';
import type { Publication } from '../protocol/round/publication.ts';
import type { FederationEvent } from './events.ts';
import { isAfter } from './position.ts';

export interface StandingPublication {
  readonly round: number;
  readonly aggregator: Address;
  readonly publication: Publication;
}

/** Oldest round first. */
export function standing(
  published: readonly FederationEvent<'RoundPublished'>[],
  voided: readonly FederationEvent<'RoundVoided'>[],
): StandingPublication[] {
  return published
    .filter((event) => !voided.some((fall) => fall.args.round <= event.args.round && isAfter(fall, event)))
    .map(({ args }) => ({
      round: Number(args.round),
      aggregator: args.aggregator,
      publication: {
        modelRoot: args.modelRoot,
        stateRoot: args.stateRoot,
        gramRoot: args.gramRoot,
        mixingHash: args.mixingHash,
        submissionSet: args.submissionSet,
        modelCid: hexToBytes(args.modelCid),
        evidenceCid: hexToBytes(args.evidenceCid),
      },
    }))
    .sort((a, b) => a.round - b.round);
}

/**
 * Do the events tell the same story as the contract's own state? A node that leaves out, invents or alters an event, or
 * a contract that is not the one we think it is, shows here.
 */
import type { Finding } from '../../protocol/dispute/finding.ts';
import { isPublished, ROUND_PHASES, type RoundPhase } from '../../protocol/round/phases.ts';
import { publicationHash } from '../../protocol/round/publication.ts';
import { voidedIndices } from '../../protocol/round/submission.ts';
import { CONTRACT, finding } from '../finding.ts';
import type { RoundFacts } from './assembleRounds.ts';
import type { ChainFacts } from './chainFacts.ts';
import type { FederationEvent } from './decodeEvents.ts';

/** Findings about the federation as a whole; their round is 0. */
export function checkFederation(
  facts: ChainFacts,
  events: readonly FederationEvent[],
  rounds: readonly RoundFacts[],
): Finding[] {
  const findings: Finding[] = [];
  const contradiction = (message: string, expected: unknown, received: unknown) =>
    findings.push(inconsistent(0, message, expected, received));
  const foreign = facts.logs.filter((log) => log.address !== facts.federation).length;
  if (foreign > 0) contradiction('some logs are another contract’s', 0, foreign);
  const burned = events.reduce((sum, event) => (event.name === 'penaltyBurned' ? sum + event.amount : sum), 0n);
  if (burned !== facts.totalBurned) contradiction('penalties burned (wei)', facts.totalBurned, burned);
  rounds.forEach((round, i) => {
    if (round.round !== i + 1) contradiction(`the rounds have a gap before round ${round.round}`, i + 1, round.round);
  });
  // One more round may already show as open: a transition that is due shows in views before anybody pays for it.
  const last = rounds.at(-1)?.round ?? 0;
  if (facts.currentRound !== last && facts.currentRound !== last + 1) {
    contradiction('the current round', facts.currentRound, last);
  }
  const notFinal = rounds.find(
    ({ round, eventPhase }) => round <= facts.lastFinalRound && eventPhase !== 'final' && eventPhase !== 'abandoned',
  );
  if (notFinal !== undefined) {
    contradiction(`round ${notFinal.round} counts as final`, 'an event that says so', notFinal.eventPhase);
  }
  return findings;
}

/** Findings about one round: the first contradiction of each kind of fact. */
export function checkRound(facts: ChainFacts, round: RoundFacts): Finding[] {
  const { state } = round;
  const base = round.parent?.published?.publication.modelRoot ?? facts.parameters.genesisModelRoot;
  if (state === null) return [inconsistent(round.round, 'the contract does not know the round', 'its state', 'none')];
  const checks: readonly (readonly [what: string, contract: unknown, events: unknown])[] = [
    ['the opening of the round', state.opening, round.opening],
    ['the root of the model it starts from', state.baseModelRoot, round.baseModelRoot],
    ['the model it must start from', base, round.baseModelRoot],
    ['the number of commits', state.committed, round.commits.size],
    ['the number of reveals', state.revealed, round.reveals.length],
    ['the voided submissions', setText(voidedIndices(state.voidedBitmap)), setText(round.voided)],
    ['the phase', state.phase, phaseFits(state.phase, round.eventPhase) ? state.phase : round.eventPhase],
    ...publicationChecks(round),
  ];
  return checks
    .filter(([, contract, events]) => contract !== events)
    .map(([what, contract, events]) => inconsistent(round.round, what, contract, events));
}

function publicationChecks({ state, published }: RoundFacts): [string, unknown, unknown][] {
  if (state === null || published === null) return [];
  return [
    ['the published model root', state.modelRoot, published.publication.modelRoot],
    ['the hash of the publication', state.publicationHash, publicationHash(published.publication)],
    ['who published', state.aggregator, published.aggregator],
    ['when it was published', state.publishedAt, published.publishedAt ?? state.publishedAt],
  ];
}

/** A deadline that has passed shows in the state at once, in the events only when somebody sends a transaction. */
function phaseFits(state: RoundPhase, events: RoundPhase): boolean {
  if (state === events) return true;
  if (isPublished(state) || isPublished(events) || events === 'abandoned') return false;
  return ROUND_PHASES.indexOf(state) > ROUND_PHASES.indexOf(events);
}

function setText(indices: ReadonlySet<number>): string {
  return [...indices].sort((a, b) => a - b).join(', ') || 'none';
}

function inconsistent(round: number, what: string, expected: unknown, received: unknown): Finding {
  return finding('chainInconsistent', round, CONTRACT, `The events contradict the contract's state: ${what}.`, {
    expected: String(expected),
    received: String(received),
  });
}

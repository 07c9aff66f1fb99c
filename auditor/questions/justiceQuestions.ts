/**
 * Was justice done by the book? What the events say of slashed stakes, bonds and payments, against the rules of the
 * contract: half of a stake at least is burned, who falls takes its submission or publication with it, and the contract
 * holds all that it still owes.
 */
import type { Finding } from '../../protocol/dispute/finding.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import type { FederationEvent, Slashed } from '../chain/decodeEvents.ts';
import { CONTRACT, finding } from '../finding.ts';

/** Findings about the contract; `round` is that of the conviction, 0 for money. */
export function justiceHolds(facts: ChainFacts, events: readonly FederationEvent[]): Finding[] {
  const byTransaction = Map.groupBy(events, ({ place }) => place.transactionHash);
  return [
    ...events.flatMap((event) =>
      event.name === 'slashed' ? slashHolds(event, byTransaction.get(event.place.transactionHash) ?? []) : [],
    ),
    ...challengesHold(events),
    ...balanceHolds(facts, events),
  ];
}

/**
 * The whole stake goes: half of it, rounded down, to who proved the fraud, the rest is burned. Of a copy, which is no
 * fraud, a penalty goes, and all of it is burned.
 */
function slashHolds(slashed: Slashed, sameTransaction: readonly FederationEvent[]): Finding[] {
  const { round, account, role, proof, amount, burned, reward, challenger } = slashed;
  const earned = proof === 'copiedUpdate' ? 0n : amount / 2n;
  if (reward !== earned || burned !== amount - reward) {
    const received = `${burned} burned, ${reward} to ${challenger}`;
    const message = `The stake of ${account} was not divided as the rules say.`;
    return [wrong(round, message, `${amount - earned} burned, ${earned} to the challenger`, received)];
  }
  const fell = sameTransaction.some((event) =>
    role === 'aggregator'
      ? event.name === 'roundVoided' && event.round === round && event.aggregator === account
      : event.name === 'submissionVoided' && event.round === round && event.participant === account,
  );
  if (fell) return [];
  const what = role === 'aggregator' ? 'its publication is void' : 'its submission is void';
  return [wrong(round, `The ${role} ${account} lost its stake, but not what it lied with.`, what, 'no such event')];
}

/** Each challenge ends once at most, with all of its bond. */
function challengesHold(events: readonly FederationEvent[]): Finding[] {
  const open = new Map<Hex, bigint>();
  const findings: Finding[] = [];
  for (const event of events) {
    if (event.name === 'challengeOpened') open.set(event.id, event.bond);
    if (event.name !== 'challengeAnswered' && event.name !== 'challengeRefunded') continue;
    const amount = event.name === 'challengeAnswered' ? event.paid : event.bond;
    const bond = open.get(event.id);
    open.delete(event.id);
    if (bond === amount) continue;
    const expected = bond === undefined ? 'an open challenge' : `a bond of ${bond}`;
    findings.push(wrong(event.round, `The challenge ${event.id} ended wrongly.`, expected, `${amount} paid`));
  }
  return findings;
}

/**
 * What came in, less what went out, is what must be there. More may be: coin can be forced on any contract. Bonds of
 * fraud proofs come in without an event of their own, one with each verdict.
 */
function balanceHolds({ parameters, balance }: ChainFacts, events: readonly FederationEvent[]): Finding[] {
  let owed = 0n;
  for (const event of events) {
    switch (event.name) {
      case 'participantRegistered':
      case 'aggregatorRegistered':
        owed += event.stake;
        break;
      case 'stakeAdded':
      case 'rewardsFunded':
        owed += event.amount;
        break;
      case 'challengeOpened':
        owed += event.bond;
        break;
      case 'slashed':
        if (event.proof !== 'unavailable' && event.proof !== 'copiedUpdate') owed += parameters.proofBond;
        break;
      case 'accusationRejected':
        owed += event.bond;
        break;
      case 'withdrawn':
      case 'creditWithdrawn':
      case 'rewardsReclaimed':
      case 'penaltyBurned':
        owed -= event.amount;
        break;
      default:
        break;
    }
  }
  if (balance >= owed) return [];
  return [wrong(0, 'The contract holds less than it owes.', `at least ${owed}`, String(balance))];
}

function wrong(round: number, message: string, expected: string, received: string): Finding {
  return finding('chainInconsistent', round, CONTRACT, message, { expected, received });
}

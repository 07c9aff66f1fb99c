/** What a node prints: a line a fact for people, or a JSON line a fact for machines. */
import type { AggregatorEvent } from '../../aggregator/events.ts';
import type { ChallengeEvent } from '../../chain/answerChallenges.ts';
import type { ParticipantEvent } from '../../client/node/events.ts';
import { toJson } from './facts.ts';
import { bytes, eth, percent, seconds, shortHash } from './text.ts';

export interface NodeLog<Event extends { readonly type: string }> {
  event(event: Event): void;
  /** A remark that is no fact of the protocol. */
  say(text: string): void;
}

export function nodeLog<Event extends { readonly type: string }>(
  form: 'text' | 'json',
  describe: (event: Event) => string | null,
): NodeLog<Event> {
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const clock = (): string => new Date().toISOString().slice(11, 19);
  if (form === 'json') {
    return {
      event: (event) => print(toJson({ time: new Date().toISOString(), ...event })),
      say: (text) => print(toJson({ time: new Date().toISOString(), type: 'note', text })),
    };
  }
  return {
    event: (event) => {
      const line = describe(event);
      if (line !== null) print(`${clock()} ${line}`);
    },
    say: (text) => print(`${clock()} ${text}`),
  };
}

const at = (round: number): string => `[ROUND ${round}]`;

function describeChallengeEvent(event: ChallengeEvent): string {
  const where = shortHash(event.transaction);
  return event.type === 'answered'
    ? `${at(event.round)} answered ${event.challenges.length} availability challenge(s) in ${where}`
    : `${at(event.round)} ${event.owner} did not answer in time: settled in ${where}`;
}

export function describeParticipantEvent(event: ParticipantEvent): string | null {
  switch (event.type) {
    case 'registered':
      return `registered as participant ${event.index} ${event.account}, ${eth(event.stakeWei)} at stake`;
    case 'waiting':
      return `waiting ${event.reason}`;
    case 'modelFetched':
      return `${at(event.round)} base model ${shortHash(event.modelRoot)} fetched and verified`;
    case 'modelRefused':
      return `${at(event.round)} will not train: ${event.message}`;
    case 'training':
      return `${at(event.round)} train: local epoch ${event.epoch}/${event.epochs}, loss ${event.loss.toFixed(4)}`;
    case 'trained':
      return `${at(event.round)} train: ${event.samples} samples, ${
        event.perplexity === null ? `accuracy ${percent(event.accuracy)}` : `perplexity ${event.perplexity.toFixed(2)}`
      }, norm ${event.norm.toFixed(3)}${
        event.clipFactor < 1 ? ` clipped by ${event.clipFactor.toFixed(3)}` : ''
      }, ${seconds(event.seconds)}`;
    case 'personalised': {
      const { before, after } = event;
      const measured = after === null ? '' : `: accuracy ${percent(after.accuracy)} on held-out data`;
      const shared = before === null ? '' : `, the federation's model ${percent(before.accuracy)}`;
      return `${at(event.round)} own model by ${event.method}${measured}${shared}`;
    }
    case 'stored':
      return `${at(event.round)} stored ${bytes(event.bytes)} as ${event.cid}, root ${shortHash(event.root)}`;
    case 'resumed':
      return `${at(event.round)} going on where this node stopped (${event.stage})`;
    case 'committed':
    case 'revealed':
      return `${at(event.round)} ${event.type} in ${shortHash(event.transaction)}, ${event.gasUsed} gas`;
    case 'answered':
    case 'settled':
      return describeChallengeEvent(event);
    case 'refused':
      return `${at(event.round)} the contract refuses this update: ${event.reason}`;
    case 'missed':
      return `${at(event.round)} missed: ${event.reason}`;
    case 'ended':
      return `all ${event.rounds} rounds are final; serving payloads until stopped (Ctrl-C)`;
  }
}

export function describeAggregatorEvent(event: AggregatorEvent): string | null {
  switch (event.type) {
    case 'registered':
      return `registered as aggregator ${event.account}, ${eth(event.stakeWei)} at stake`;
    case 'waiting':
      return `waiting ${event.reason}`;
    case 'roundOpened':
      return `${at(event.round)} open for ${event.expected} participants`;
    case 'revealed':
      return `${at(event.round)} ${event.revealed} of ${event.committed} updates revealed`;
    case 'collected': {
      const left = event.excluded.map(({ participant, reason }) => `${shortHash(participant)} left out (${reason})`);
      return [
        `${at(event.round)} aggregate_train: Received ${event.valid} results and ${event.excluded.length} failures, ${bytes(event.payloadBytes)}`,
        ...left,
      ].join('; ');
    }
    case 'published':
      return `${at(event.round)} published model ${shortHash(event.modelRoot)} in ${shortHash(event.transaction)}${
        event.metrics === null ? '' : `, accuracy ${event.metrics.accuracy.toFixed(4)}`
      }, ${seconds(event.aggregateSeconds)}`;
    case 'convicted':
      return `${at(event.round)} convicted ${event.participant} of a wrong sum in its update: its stake is gone (${shortHash(event.transaction)})`;
    case 'copyVoided':
      return `${at(event.round)} the update of ${event.participant} was revealed before: it does not count`;
    case 'challenged':
      return `${at(event.round)} asked for chunk ${event.chunk} of ${event.participant} on the chain, bond ${eth(event.bond)}`;
    case 'answered':
    case 'settled':
      return describeChallengeEvent(event);
    case 'reopened':
      return `${at(event.round)} its publication was voided: back in Aggregate, turn ${event.turn}`;
    case 'relayed':
      return `relayed ${event.messages} ${event.kind}(s) in ${shortHash(event.transaction)}, ${event.gasUsed} gas`;
    case 'rewarded':
      return `${at(event.round)} reward distributed in ${shortHash(event.transaction)}`;
    case 'abandoned':
      return `${at(event.round)} abandoned: too few updates`;
    case 'finalized':
      return `${at(event.round)} final`;
    case 'penalised':
      return `${at(event.round)} ${event.participant} committed and did not reveal: penalty charged`;
    case 'ended':
      return `all ${event.rounds} rounds are final`;
  }
}

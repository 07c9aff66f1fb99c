/** A watchtower's events as lines for people. */
import type { WatchEvent } from '../../auditor/watch/events.ts';
import { eth, seconds, shortHash } from './text.ts';

export function describeWatchEvent(event: WatchEvent): string | null {
  const at = 'round' in event ? `[ROUND ${event.round}] ` : '';
  switch (event.type) {
    case 'watching':
      return `watching as ${event.account} with ${eth(event.balanceWei)}; a proof needs a bond of ${eth(event.proofBondWei)}`;
    case 'audited': {
      const kinds = event.findings.map(({ kind, accused }) => (accused === null ? kind : `${kind} by ${accused}`));
      const result = event.ok ? 'holds' : event.verified === 'unverifiable' ? 'CANNOT BE VERIFIED' : 'IS WRONG';
      return `${at}audited: ${result}${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}, ${seconds(event.seconds)}`;
    }
    case 'proven':
      return `${at}PROOF: ${event.proof} by ${event.role} ${event.accused}${event.file === null ? '' : `, in ${event.file}`}`;
    case 'convicted':
      return `${at}CONVICTED: ${event.role} ${event.accused} of ${event.proof}, ${eth(event.burned)} burned, ${eth(event.reward)} credited, in ${shortHash(event.transaction)}, ${event.gasUsed} gas`;
    case 'rejected':
      return `${at}REJECTED: the ${event.proof} proof lost its bond of ${eth(event.bond)} in ${shortHash(event.transaction)}`;
    case 'asked':
      return `${at}asked ${event.owner} for chunk ${event.chunk} of its ${event.kind}: ${event.why} Answer by ${new Date(1000 * event.answerBy).toISOString()}`;
    case 'answerCame':
      return `${at}chunk ${event.chunk} of the ${event.kind} was answered, ${shortHash(event.payee)} is paid`;
    case 'refunded':
      return `${at}the challenge of chunk ${event.chunk} of the ${event.kind} does not matter any more: the bond came back`;
    case 'answered':
      return `${at}answered chunk ${event.chunk} of the ${event.kind} for ${eth(event.paid)} in ${shortHash(event.transaction)}`;
    case 'slashed':
      return `${at}${event.role} ${event.account} was slashed for ${event.proof}: ${eth(event.amount)}, proven by ${event.challenger}`;
    case 'refused':
      return `${at}${event.what} was refused: ${event.reason}`;
    case 'patient':
      return `${at}${event.why} Waiting ${seconds(event.seconds)} for it before it is asked for on the chain`;
    case 'waiting':
      return `waiting: ${event.reason}`;
    case 'ended':
      return `all ${event.rounds} rounds are final`;
  }
}

/**
 * The gateways that members announced on-chain. Their text is whatever a member wrote: only http(s) URLs are used, and
 * by default only those on this machine (an audit must not be a way to make auditors call addresses of others' choice).
 */
import type { FederationEvent } from '../chain/decodeEvents.ts';

/** Latest usable gateway of each account. `anywhere`: also those beyond this machine. */
export function registeredGateways(events: readonly FederationEvent[], anywhere: boolean): Map<string, string> {
  const gateways = new Map<string, string>();
  for (const event of events) {
    const { name } = event;
    if (name !== 'gatewayChanged' && name !== 'participantRegistered' && name !== 'aggregatorRegistered') continue;
    if (isUsable(event.gateway, anywhere)) gateways.set(event.account, event.gateway.replace(/\/+$/, ''));
    else gateways.delete(event.account);
  }
  return gateways;
}

function isUsable(gateway: string, anywhere: boolean): boolean {
  if (!URL.canParse(gateway)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(gateway);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  if (username !== '' || password !== '' || search !== '' || hash !== '') return false;
  return anywhere || hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/**
 * Where a node looks for payloads: what was named on the command line, and the gateways that members announced on the
 * chain.
 */
import type { Address } from 'viem';
import type { Federation } from '../../chain/federation.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { FetchAttempt } from '../../storage/fetchPayload.ts';
import { type PayloadAccess, payloadAccess } from '../../storage/payloadAccess.ts';
import type { PayloadStore } from '../../storage/payloadStore.ts';
import { peerSource, publicGatewaySource } from '../../storage/sources/gatewaySource.ts';
import { connectKubo } from '../../storage/sources/kuboNode.ts';
import type { PayloadSource } from '../../storage/sources/payloadSource.ts';
import { storeSource } from '../../storage/sources/storeSource.ts';
import type { SourceOptions } from '../options/shared.ts';

/** Announcements are read again when they are older than this. */
const ANNOUNCEMENTS_MS = 3_000;

/**
 * @param own this node's gateway, which it need not ask
 * @param say told when a payload could not be handed to the Kubo daemon
 */
export async function nodePayloads(
  federation: Federation,
  store: PayloadStore,
  options: SourceOptions,
  own: string | undefined,
  say: (text: string) => void = () => undefined,
): Promise<PayloadAccess> {
  const kubo = options.kuboRpc === undefined ? null : await connectKubo(options.kuboRpc);
  const named = options.peer.map((url) => peerSource(url));
  const publicGateways = options.publicGateway.map((url) => publicGatewaySource(url));
  const announcements = new Announcements(federation);
  const stalled = new Set<string>();
  const onAttempt = ({ source, error }: FetchAttempt): void => {
    if (error?.code === 'PEER_STALLED') stalled.add(source);
  };
  const sources = async (owner: Hex | undefined): Promise<PayloadSource[]> => {
    const members = await announcements.urls(owner);
    const peers = members.filter((url) => url !== own && !options.peer.includes(url)).map((url) => peerSource(url));
    // Who let this node wait once is asked last, so that it does not do so in every round.
    const stallers = peers.filter(({ name }) => stalled.has(name));
    const others = peers.filter(({ name }) => !stalled.has(name));
    const daemon = kubo === null ? [] : [kubo];
    return [storeSource(store), ...named, ...others, ...daemon, ...stallers, ...publicGateways];
  };
  const share = async (cid: string): Promise<void> => {
    try {
      await kubo?.importPayload(store, cid);
    } catch (error) {
      // This node's own gateway serves it all the same.
      if (!(error instanceof AssayError)) throw error;
      say(`${cid} is not in the Kubo daemon: ${error.message}`);
    }
  };
  return payloadAccess({ store, sources, onAttempt, share });
}

class Announcements {
  private readonly federation: Federation;
  private readAt = Number.NEGATIVE_INFINITY;
  private known: Promise<Map<Address, string>> = Promise.resolve(new Map());

  constructor(federation: Federation) {
    this.federation = federation;
  }

  /** Each URL once, the owner's first. What is no http URL is somebody's mistake or joke, and passed over. */
  async urls(owner: Hex | undefined): Promise<string[]> {
    if (performance.now() - this.readAt > ANNOUNCEMENTS_MS) {
      this.readAt = performance.now();
      this.known = this.federation.gateways();
      this.known.catch(() => {
        this.readAt = Number.NEGATIVE_INFINITY;
      });
    }
    const gateways = await this.known;
    const first = owner === undefined ? undefined : gateways.get(owner as Address);
    const urls = [...(first === undefined ? [] : [first]), ...gateways.values()];
    return [...new Set(urls)].filter((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol));
  }
}

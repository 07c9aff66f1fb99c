/**
 * A participant that trains nothing and cheats once: until its round it sends small noise, honestly committed. Then it
 * lies about a norm (`lying-client`) or reveals what it shows to nobody, on the chain neither (`withholding-client`).
 */
import { randomBytes } from 'node:crypto';
import type { RoundView } from '../../../chain/convert.ts';
import { ensureRegistered } from '../../../chain/ensureRegistered.ts';
import { followRounds } from '../../../chain/followRounds.ts';
import { revertName } from '../../../chain/revert.ts';
import { createRandom } from '../../../client/random.ts';
import { commitHash } from '../../../protocol/commitment/commitHash.ts';
import { commitUpdate, type UpdateCommitment } from '../../../protocol/commitment/merkleSum.ts';
import { type Hex, toHex } from '../../../protocol/encoding/bytes.ts';
import { cidToBytes, payloadCid } from '../../../protocol/encoding/cid.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import type { Node } from '../../node/openNode.ts';
import { forgeNorm } from './forgeNorm.ts';

export type DishonestKind = 'lying-client' | 'withholding-client';

export interface Part extends Node {
  /** The round in which it cheats. */
  readonly round: number;
  readonly seed: string;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly report: (event: object) => void;
}

interface Prepared extends UpdateCommitment {
  readonly cid: string;
  readonly salt: Hex;
}

/** The chain moved on between a look and an act, or has thrown this node out: look again. */
const LOST_RACES = new Set(['WrongPhase', 'AlreadyCommitted', 'AlreadyRevealed', 'SeedNotFixed', 'NotExpected']);

/** Coordinates of the noise, in quantisation steps: far below what training moves. */
const NOISE = 3;

export async function beDishonest(part: Part, kind: DishonestKind): Promise<void> {
  const { federation, signer, gatewayUrl, pollMs, signal, report } = part;
  const account = signer.account.address;
  const { gasUsed, stake } = await ensureRegistered(federation, signer, 'participant', gatewayUrl);
  report({ type: 'registered', account, stakeWei: stake, gasUsed });
  /** By opening of a round. */
  const prepared = new Map<number, Prepared>();
  for await (const view of followRounds(federation, { signal, pollMs })) {
    if (view === null || !(await federation.participant(account))?.active) continue;
    try {
      if (view.phase === 'open' || view.phase === 'commit') await commit(part, kind, view, prepared);
      else if (view.phase === 'reveal') await reveal(part, view, prepared.get(view.opening));
    } catch (error) {
      if (!LOST_RACES.has(revertName(error) ?? '')) throw error;
    }
  }
}

async function commit(part: Part, kind: DishonestKind, view: RoundView, prepared: Map<number, Prepared>) {
  const { federation, signer, report } = part;
  const participant = signer.account.address;
  if (await federation.hasCommitted(view.number, participant)) return;
  const update = prepared.get(view.opening) ?? (await prepare(part, kind, view));
  prepared.set(view.opening, update);
  const sealed = commitHash({
    ...update,
    chainId: federation.connection.chainId,
    federation: federation.address,
    round: view.number,
    baseModelRoot: view.baseModelRoot,
    participant,
    cid: cidToBytes(update.cid),
  });
  const { hash, gasUsed } = await federation.commitUpdate(signer, view.number, sealed);
  report({ type: 'committed', round: view.number, transaction: hash, gasUsed, root: update.root });
}

async function reveal({ federation, signer, report }: Part, view: RoundView, update: Prepared | undefined) {
  const account = signer.account.address;
  if (update === undefined || (await federation.hasRevealed(view.number, account))) return;
  const { hash, gasUsed } = await federation.revealUpdate(signer, view.number, {
    ...update,
    cid: cidToBytes(update.cid),
  });
  report({ type: 'revealed', round: view.number, transaction: hash, gasUsed, root: update.root });
}

async function prepare(part: Part, kind: DishonestKind, { number, opening }: RoundView): Promise<Prepared> {
  const { federation, payloads, seed, report } = part;
  const { parameters } = federation;
  const layout = layoutOf(parameters);
  const noise = smallNoise(layout, `${seed}/${number}`);
  const salt = toHex(randomBytes(32));
  const nothing = { samples: 0, steps: 0, loss: 0, accuracy: 0, perplexity: null, seconds: 0, norm: 0, saturated: 0 };
  report({ type: 'trained', round: number, ...nothing });
  const cheats = number >= part.round;
  if (cheats) report({ type: 'cheating', round: number, opening, kind });
  if (cheats && kind === 'lying-client') {
    const { payload, root, normSq } = forgeNorm(noise, layout, `${seed}/lie`);
    return { root, normSq, salt, cid: (await payloads.store.put(payload)).cid };
  }
  const commitment = commitUpdate(noise, layout);
  if (cheats) return { ...commitment, salt, cid: payloadCid(noise) }; // stored nowhere
  return { ...commitment, salt, cid: (await payloads.store.put(noise)).cid };
}

function smallNoise(layout: VectorLayout, seed: string): Uint8Array {
  const random = createRandom(seed, 'noise');
  return encodeUpdate(
    Int16Array.from({ length: layout.dimension }, () => random.nextInt(2 * NOISE + 1) - NOISE),
    layout,
  );
}

/**
 * Nodes of a federation inside the test's own process: the real ones, put together as scripts/ does it, with a trainer
 * that needs no engine. A test may do a dishonest node's part by hand with the same pieces.
 */

import { aggregate } from '../../../aggregator/aggregate.ts';
import type { AggregatorContext } from '../../../aggregator/context.ts';
import type { AggregatorEvent } from '../../../aggregator/events.ts';
import { ensureRegistered } from '../../../chain/ensureRegistered.ts';
import { Federation, type Role } from '../../../chain/federation.ts';
import type { Connection, Signer } from '../../../chain/rpc.ts';
import type { ParticipantContext } from '../../../client/node/context.ts';
import type { ParticipantEvent } from '../../../client/node/events.ts';
import { participate } from '../../../client/node/participate.ts';
import type { TrainTask } from '../../../client/training/trainer.ts';
import { commitHash } from '../../../protocol/commitment/commitHash.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { fromHex, type Hex } from '../../../protocol/encoding/bytes.ts';
import { cidFromBytes, cidToBytes } from '../../../protocol/encoding/cid.ts';
import { encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { referenceEngine } from '../../../protocol/round/engine/referenceEngine.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import { nodePayloads } from '../../../scripts/node/sources.ts';
import type { SourceOptions } from '../../../scripts/options/shared.ts';
import { type Gateway, startGateway } from '../../../storage/gateway.ts';
import type { PayloadAccess } from '../../../storage/payloadAccess.ts';
import { openPayloadStore, type PayloadStoreOptions } from '../../../storage/payloadStore.ts';
import { openStateFolder, type StateFolder } from '../../../storage/stateFolder.ts';
import { standInTrainer } from './standInTrainer.ts';
import { type TestFederation, until, type World } from './world.ts';

const POLL_MS = 40;

export interface NodeWish {
  readonly signer?: Signer;
  /** Another way to the chain, such as through a proxy. */
  readonly connection?: Connection;
  /** State folder of an earlier node, to be a restarted one. */
  readonly folder?: string;
  readonly store?: PayloadStoreOptions;
  /** Announced instead of the node's own gateway. */
  readonly gatewayUrl?: string;
  /** Where to look besides the announced gateways. */
  readonly sources?: Partial<SourceOptions>;
}

/** A registered account with a store and a gateway: what every node has, and all that a dishonest one needs. */
export interface Desk {
  readonly signer: Signer;
  readonly federation: Federation;
  readonly folder: string;
  readonly state: StateFolder;
  readonly payloads: PayloadAccess;
  readonly gateway: Gateway;
  close(): Promise<void>;
}

export async function openDesk(world: World, fed: TestFederation, role: Role, wish: NodeWish = {}): Promise<Desk> {
  const signer = wish.signer ?? (await world.signer({ connection: wish.connection }));
  const federation = wish.connection === undefined ? fed.federation : await Federation.at(wish.connection, fed.address);
  const folder = wish.folder ?? (await world.newFolder(role));
  const state = await openStateFolder(folder, { owner: `test ${role}` });
  const store = await openPayloadStore(state.file('payloads'), wish.store);
  if (role === 'aggregator') for (const document of fed.documents) await store.put(document);
  const gateway = await startGateway({ store });
  const sources = { peer: [], publicGateway: [], ...wish.sources };
  const payloads = await nodePayloads(federation, store, sources, gateway.url);
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await gateway.close();
    await state.close();
  };
  world.test.add(close);
  await ensureRegistered(federation, signer, role, wish.gatewayUrl ?? gateway.url);
  return { signer, federation, folder, state, payloads, gateway, close };
}

export interface RunningNode<Event> extends Desk {
  readonly events: Event[];
  /** Resolves when the node's work is done or it was stopped; rejects with what ended it. */
  readonly ended: Promise<void>;
  /** The first event of that type (and round). */
  waitFor<Type extends Event extends { type: infer T } ? T : never>(
    type: Type,
    round?: number,
  ): Promise<Extract<Event, { type: Type }>>;
  /** Ends the work; gateway and state stay as they are. */
  pause(): Promise<void>;
  /** Ends work, gateway and state folder. */
  stop(): Promise<void>;
}

export interface ParticipantWish extends NodeWish {
  readonly seed?: string;
  /** Called before each training. */
  readonly onTrain?: (task: TrainTask) => Promise<void> | void;
  readonly change?: Partial<ParticipantContext>;
}

export async function startParticipant(
  world: World,
  fed: TestFederation,
  wish: ParticipantWish = {},
): Promise<RunningNode<ParticipantEvent>> {
  const desk = await openDesk(world, fed, 'participant', wish);
  const { federation, signer, state, payloads } = desk;
  return run<ParticipantEvent>(world, desk, (report, signal) =>
    participate({
      federation,
      signer,
      manifest: fed.manifest,
      state,
      payloads,
      trainer: standInTrainer(federation.parameters.dimension, wish.onTrain),
      seed: wish.seed ?? signer.account.address,
      report,
      signal,
      pollMs: POLL_MS,
      ...wish.change,
    }),
  );
}

export interface AggregatorWish extends NodeWish {
  readonly change?: Partial<AggregatorContext>;
}

export async function startAggregator(
  world: World,
  fed: TestFederation,
  wish: AggregatorWish = {},
): Promise<RunningNode<AggregatorEvent>> {
  const desk = await openDesk(world, fed, 'aggregator', wish);
  return runAggregator(world, desk, wish.change);
}

/** The aggregator's work on a desk that is registered already. */
export function runAggregator(
  world: World,
  desk: Desk,
  change: Partial<AggregatorContext> = {},
): RunningNode<AggregatorEvent> {
  const { federation, signer, state, payloads } = desk;
  return run<AggregatorEvent>(world, desk, (report, signal) =>
    aggregate({
      engine: referenceEngine,
      federation,
      signer,
      state,
      payloads,
      report,
      signal,
      pollMs: POLL_MS,
      ...change,
    }),
  );
}

function run<Event extends { readonly type: string }>(
  world: World,
  desk: Desk,
  work: (report: (event: Event) => void, signal: AbortSignal) => Promise<void>,
): RunningNode<Event> {
  const events: Event[] = [];
  const controller = new AbortController();
  let failure: unknown;
  const ended = work((event) => events.push(event), controller.signal);
  ended.catch((error: unknown) => {
    failure = error;
  });
  const pause = async (): Promise<void> => {
    controller.abort();
    await ended.catch(() => undefined);
  };
  const stop = async (): Promise<void> => {
    await pause();
    await desk.close();
  };
  world.test.add(pause);
  return {
    ...desk,
    events,
    ended,
    pause,
    stop,
    waitFor: (type, round) =>
      until(
        () => `${type}${round === undefined ? '' : ` of round ${round}`}; seen: ${events.map((e) => e.type).join()}`,
        () => {
          const event = events.find(
            (candidate) =>
              candidate.type === type && (round === undefined || (candidate as { round?: number }).round === round),
          );
          if (event === undefined && failure !== undefined) throw failure;
          return event as never;
        },
      ),
  };
}

const SALT: Hex = `0x${'5a'.repeat(32)}`;

/** An update by hand: what a participant commits to and reveals, and the payload it stores, each of the test's choosing. */
export interface CraftedUpdate {
  readonly payload: Uint8Array;
  readonly root: Hex;
  readonly normSq: bigint;
}

/** An honest update of small coordinates, to be spoiled. */
export function craftUpdate(fed: TestFederation, pick: (i: number) => number): CraftedUpdate {
  const layout = layoutOf(fed.federation.parameters);
  const payload = encodeUpdate(
    Int16Array.from({ length: layout.dimension }, (_, i) => pick(i)),
    layout,
  );
  return { payload, ...commitUpdate(payload, layout) };
}

/**
 * Stores and commits; returns what reveals it. The reveal waits until commits are closed: who else commits, and how
 * fast, is not in the test's hand.
 */
export async function commitByHand(
  { federation, signer, payloads }: Desk,
  round: number,
  { payload, root, normSq }: CraftedUpdate,
): Promise<{ readonly cid: string; reveal(): Promise<unknown> }> {
  const view = await federation.round(round);
  const { cid } = await payloads.store.put(payload);
  const sealed = commitHash({
    chainId: federation.connection.chainId,
    federation: federation.address,
    round,
    baseModelRoot: view.baseModelRoot,
    participant: signer.account.address,
    root,
    normSq,
    cid: cidToBytes(cid),
    salt: SALT,
  });
  await federation.commitUpdate(signer, round, sealed);
  return {
    cid,
    async reveal() {
      await until(`commits of round ${round} to be closed`, async () => {
        const { phase } = await federation.round(round);
        return phase !== 'open' && phase !== 'commit';
      });
      return federation.revealUpdate(signer, round, { root, normSq, cid: cidToBytes(cid), salt: SALT });
    },
  };
}

/** The round's state once it has that phase. */
export function untilPhase(fed: TestFederation, round: number, phase: string) {
  return until(`round ${round} to be in ${phase}`, async () => {
    const view = await fed.federation.round(round);
    return view.phase === phase ? view : undefined;
  });
}

/** Waits until the aggregator holds what these participants revealed: whoever is asked for a payload then, it is not them. */
export function untilHeld(fed: TestFederation, aggregator: Desk, round: number, owners: readonly Desk[]) {
  return until(`the payloads of ${owners.length} participants`, async () => {
    const reveals = await fed.federation.events('UpdateRevealed', { round: BigInt(round) });
    const cids = owners.map(({ signer: { account } }) => {
      const reveal = reveals.find(({ args }) => args.participant === account.address);
      return reveal === undefined ? null : cidFromBytes(fromHex(reveal.args.cid));
    });
    const held = cids.map(async (cid) => cid !== null && (await aggregator.payloads.store.has(cid)));
    return (await Promise.all(held)).every(Boolean);
  });
}

/** The round's state once that many updates have been revealed. */
export function untilRevealed(fed: TestFederation, round: number, revealed: number) {
  return until(`${revealed} reveals in round ${round}`, async () => {
    const view = await fed.federation.round(round);
    return view.revealed >= revealed ? view : undefined;
  });
}

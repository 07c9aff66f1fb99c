/** A federation without a chain, whose round and answers a test sets: for what a participant does about each. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoundView } from '../../../chain/convert.ts';
import type { ParticipantContext } from '../../../client/node/context.ts';
import type { ParticipantEvent } from '../../../client/node/events.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { encodeModel } from '../../../protocol/encoding/vectors.ts';
import { NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { openStateFolder } from '../../../storage/stateFolder.ts';
import { standInTrainer } from '../../scenarios/support/standInTrainer.ts';
import { smallManifest } from './smallFederation.ts';

export const MANIFEST = smallManifest();
export const DIMENSION = manifestDimension(MANIFEST);
export const LAYOUT = vectorLayout(DIMENSION);
export const ACCOUNT: Hex = `0x${'Aa'.repeat(20)}`;
export const PUBLISHER: Hex = `0x${'Bb'.repeat(20)}`;
export const MODEL = Int32Array.from({ length: DIMENSION }, (_, i) => ((i * 7919) % 2001) * 4096);
export const MODEL_ROOT = commitModel(MODEL, LAYOUT);

export type StandIn = Awaited<ReturnType<typeof standInFederation>>;

export async function standInFederation() {
  const folder = await mkdtemp(join(tmpdir(), 'assay-participant-'));
  const state = await openStateFolder(folder, { owner: 'test' });
  const store = await openPayloadStore(state.file('payloads'));
  const { cid } = await store.put(encodeModel(MODEL, LAYOUT));
  const events: ParticipantEvent[] = [];
  /** What the chain says, and what was sent to it. */
  const chain = {
    view: { number: 1, opening: 1, phase: 'open', baseModelRoot: MODEL_ROOT } as RoundView,
    committed: new Map<number, Hex>(),
    revealed: new Map<number, { readonly root: Hex; readonly salt: Hex }>(),
    /** Thrown instead of taking the next transaction. */
    refusals: [] as Error[],
    /** Thrown when it is asked whether it would take a commit, as long as it is set. */
    refusesCommits: undefined as Error | undefined,
    modelCid: cid,
    lastFinal: 0,
  };
  const take = () => {
    const refusal = chain.refusals.shift();
    if (refusal !== undefined) throw refusal;
    return { hash: `0x${'77'.repeat(32)}`, gasUsed: 1n };
  };
  const federation = {
    address: `0x${'Cc'.repeat(20)}`,
    connection: { chainId: 31337, publicClient: { getBlockNumber: async () => 0n } },
    parameters: {
      dimension: DIMENSION,
      chunkSize: LAYOUT.chunkSize,
      modelFractionBits: 24,
      updateFractionBits: 16,
      normSqBound: NO_NORM_BOUND,
      serverStep: { optimizer: 'fedAvg', learningRateQ16: 2 ** 16, momentumQ16: 0, secondMomentQ16: 0, adaptivity: 0 },
      totalRounds: 3,
      minParticipants: 1,
      commitWindowSeconds: 60,
    },
    currentRound: async () => chain.view.number,
    round: async () => chain.view,
    lastFinalRound: async () => chain.lastFinal,
    events: async (name: string) =>
      name === 'UpdateCommitted' ? [...chain.committed].map(([, commitHash]) => ({ args: { commitHash } })) : [],
    locateModel: async () => ({ round: 0, cid: chain.modelCid, publisher: PUBLISHER }),
    hasCommitted: async (round: number) => chain.committed.has(round),
    hasRevealed: async (round: number) => chain.revealed.has(round),
    checkCommit: async () => {
      if (chain.refusesCommits !== undefined) throw chain.refusesCommits;
    },
    commitUpdate: async (_: unknown, round: number, sealed: Hex) => {
      const sent = take();
      chain.committed.set(round, sealed);
      return sent;
    },
    revealUpdate: async (_: unknown, round: number, opened: { root: Hex; salt: Hex }) => {
      const sent = take();
      chain.revealed.set(round, opened);
      return sent;
    },
  };
  const context = {
    federation,
    signer: { account: { address: ACCOUNT } },
    manifest: MANIFEST,
    state,
    payloads: { store, fetch: async () => undefined, share: async () => undefined },
    trainer: standInTrainer(DIMENSION),
    seed: 'stand-in',
    report: (event: ParticipantEvent) => events.push(event),
    signal: new AbortController().signal,
    pollMs: 2,
  } as unknown as ParticipantContext;
  const close = async (): Promise<void> => {
    await state.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { context, chain, events, store, state, close };
}

/** A model of a federation: chosen by round, fetched from whoever serves it, verified against the chain. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Federation } from '../../chain/federation.ts';
import type { ModelMaterial } from '../../client/training/tfjs/engine.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { verifyModel } from '../../protocol/round/verifyModel.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import type { ModelFileOptions } from '../options/modelFiles.ts';
import { type ChainOptions, type SourceOptions, withChain, withSources } from '../options/shared.ts';
import { integer } from '../options/values.ts';
import { fetchManifest } from './fetchManifest.ts';
import { modelMaterial } from './modelMaterial.ts';
import { openChain } from './openNode.ts';
import { nodePayloads } from './sources.ts';

export interface ModelChoice {
  readonly federation: string;
  readonly round?: number;
  readonly final: boolean;
}

/** Adds the options that name a model: chain, sources, federation, round. */
export function withModelChoice(command: Command): Command {
  return withSources(withChain(command))
    .requiredOption('--federation <address>', 'address of the federation')
    .option('--round <n>', 'model of this round; 0 is the first model; default: the newest published', integer(0))
    .option('--final', 'the newest round that is final', false);
}

export interface FetchedModel {
  readonly manifest: Manifest;
  readonly round: number;
  /** `[d]`, manifest order. */
  readonly weights: Float32Array;
  /** What the manifest leaves to be brought along; null where only tensors were asked for and the code is not here. */
  readonly material: ModelMaterial | null;
  /** Where it comes from, for the files it is written into. */
  readonly metadata: {
    readonly federation: string;
    readonly chainId: string;
    readonly round: string;
    readonly modelRoot: Hex;
    readonly cid: string;
  };
}

type FetchOptions = ChainOptions & SourceOptions & ModelChoice & ModelFileOptions;
type Material = (manifest: Manifest, payloads: PayloadAccess) => Promise<ModelMaterial | null>;

/**
 * A model to compute with.
 * @throws AssayError ROUND, PAYLOAD_UNAVAILABLE, MODEL_ROOT when what was served is not what the chain says, MODEL_FILE
 * when the code of its model was not given
 */
export function fetchModel(options: FetchOptions, say: (text: string) => void): Promise<FetchedModel> {
  return fetchVerified(options, say, (manifest, payloads) => modelMaterial(manifest, options, payloads));
}

/** A model to write down: nobody has to run the code of somebody's model file for that. @throws as `fetchModel` */
export function fetchTensors(options: FetchOptions, say: (text: string) => void): Promise<FetchedModel> {
  return fetchVerified(options, say, (manifest, payloads) =>
    modelMaterial(manifest, options, payloads).catch((error: unknown) => {
      if (options.modelFile !== undefined || !(error instanceof AssayError) || error.code !== 'MODEL_FILE') throw error;
      return null;
    }),
  );
}

async function fetchVerified(
  options: FetchOptions,
  say: (text: string) => void,
  materialOf: Material,
): Promise<FetchedModel> {
  const connection = await openChain(options, say);
  const federation = await Federation.at(connection, options.federation);
  const { parameters } = federation;
  const layout = layoutOf(parameters);
  const { round, root } = await chooseModel(federation, options);
  const scratch = await mkdtemp(join(tmpdir(), 'assay-model-'));
  try {
    const payloads = await nodePayloads(federation, await openPayloadStore(scratch), options, undefined);
    const manifest = await fetchManifest(federation, payloads, AbortSignal.abort(), say);
    const material = await materialOf(manifest, payloads);
    const { cid, publisher } = await federation.locateModel(root);
    await payloads.fetch(cid, {
      expectedBytes: modelPayloadLength(layout),
      ...(publisher === null ? {} : { owner: publisher }),
    });
    const model = verifyModel(await payloads.store.readAll(cid), layout, root);
    return {
      manifest,
      round,
      material,
      weights: fixedToFloat(model, parameters.modelFractionBits),
      metadata: {
        federation: federation.address,
        chainId: String(connection.chainId),
        round: String(round),
        modelRoot: root,
        cid,
      },
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function chooseModel(federation: Federation, options: ModelChoice): Promise<{ round: number; root: Hex }> {
  const genesis = { round: 0, root: federation.parameters.genesisModelRoot };
  if (options.round === 0) return genesis;
  const newest = options.final ? await federation.lastFinalRound() : await federation.currentRound();
  const last = options.round ?? newest;
  if (last > newest) {
    throw new AssayError('ROUND', {
      summary: `round ${last} has no model yet`,
      expected: `a round from 0 to ${newest}`,
      received: String(last),
    });
  }
  for (let round = last; round > 0; round--) {
    const view = await federation.round(round);
    if (view.phase === 'challenge' || view.phase === 'final') return { round, root: view.modelRoot };
    if (options.round !== undefined) {
      throw new AssayError('ROUND', {
        summary: `round ${round} has published no model`,
        expected: 'a round in the phase challenge or final',
        received: view.phase,
      });
    }
  }
  return genesis;
}

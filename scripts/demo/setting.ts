/** What the demonstration needs before its nodes start: a folder, a chain, funded keys, a federation. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from 'viem';
import { createFederation } from '../../chain/createFederation.ts';
import { deployAssay } from '../../chain/deploy.ts';
import { createKeystore, unlockKeystore } from '../../chain/keystore.ts';
import { type Connection, connect, signerOf } from '../../chain/rpc.ts';
import type { Preset } from '../../client/models/presets.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { type FederationSettings, planParameters } from '../federation/settings.ts';
import { storeGenesis } from '../federation/storeGenesis.ts';
import { fundFromLocalChain, type LocalChain } from '../node/localChain.ts';

export interface DemoNode {
  /** `aggregator`, `client-0`, `watchtower`, ... */
  readonly name: string;
  readonly address: Address;
  readonly state: string;
}

export interface Setting {
  readonly connection: Connection;
  readonly password: string;
  /** In the order in which they take turns. */
  readonly aggregators: readonly DemoNode[];
  readonly clients: readonly DemoNode[];
  /** Keys that stake nothing: who watches, who accuses. */
  readonly others: readonly DemoNode[];
  readonly federation: Address;
  /** d: coordinates of its model. */
  readonly dimension: number;
  readonly gas: { readonly contracts: bigint; readonly createFederation: bigint };
}

const FUNDS_WEI = 100n * 10n ** 18n;

/** Who is there besides the clients. */
export interface Cast {
  readonly aggregators: readonly string[];
  readonly clientCount: number;
  readonly others: readonly string[];
}

export async function prepareSetting(
  folder: string,
  chain: LocalChain,
  cast: Cast,
  settings: FederationSettings,
  preset: Preset,
  seed: string,
): Promise<Setting> {
  const connection = await connect({ rpcUrl: chain.url });
  // Never written down: the keystores are worthless once the demonstration's chain is gone.
  const password = randomBytes(16).toString('hex');
  const create = (names: readonly string[]) => Promise.all(names.map((name) => createNode(folder, name, password)));
  const aggregators = await create(cast.aggregators);
  const clients = await create(Array.from({ length: cast.clientCount }, (_, i) => `client-${i}`));
  const others = await create(cast.others);
  const everybody = [...aggregators, ...clients, ...others];
  const first = aggregators[0]!;
  await fundFromLocalChain(
    connection,
    everybody.map(({ address }) => address),
    FUNDS_WEI,
  );
  const { privateKey } = await unlockKeystore(join(first.state, 'keystore.json'), password);
  const signer = signerOf(connection, privateKey);
  const deployment = await deployAssay({ rpcUrl: chain.url, account: signer.account });
  const store = await openPayloadStore(join(first.state, 'payloads'));
  const genesis = await storeGenesis(store, preset.manifest, seed, preset.maxUpdateNorm);
  const parameters = planParameters(settings, genesis, false);
  const created = await createFederation(
    connection,
    signer,
    deployment.factory,
    parameters,
    [...aggregators, ...clients].map(({ address }) => address),
  );
  return {
    connection,
    password,
    aggregators,
    clients,
    others,
    federation: created.address,
    dimension: genesis.dimension,
    gas: { contracts: deployment.gasUsed, createFederation: created.sent.gasUsed },
  };
}

async function createNode(folder: string, name: string, password: string): Promise<DemoNode> {
  const state = join(folder, 'nodes', name);
  await mkdir(state, { recursive: true });
  const { address } = await createKeystore(join(state, 'keystore.json'), password, { light: true });
  return { name, address, state };
}

/** What the demonstration needs before its nodes start: a folder, a chain, funded keys, a federation. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from 'viem';
import { createFederation } from '../../chain/createFederation.ts';
import { deployAssay } from '../../chain/deploy.ts';
import { createKeystore, unlockKeystore } from '../../chain/keystore.ts';
import { type Connection, connect, signerOf } from '../../chain/rpc.ts';
import { mnistMlp } from '../../client/models/presets.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { type FederationSettings, planParameters } from '../federation/settings.ts';
import { storeGenesis } from '../federation/storeGenesis.ts';
import { fundFromLocalChain, type LocalChain } from '../node/localChain.ts';

export interface DemoNode {
  /** `aggregator`, `client-0`, ... */
  readonly name: string;
  readonly address: Address;
  readonly state: string;
}

export interface Setting {
  readonly connection: Connection;
  readonly password: string;
  readonly aggregator: DemoNode;
  readonly clients: readonly DemoNode[];
  readonly federation: Address;
  readonly gas: { readonly contracts: bigint; readonly createFederation: bigint };
}

const FUNDS_WEI = 100n * 10n ** 18n;

export async function prepareSetting(
  folder: string,
  chain: LocalChain,
  clientCount: number,
  settings: FederationSettings,
  seed: string,
): Promise<Setting> {
  const connection = await connect({ rpcUrl: chain.url });
  // Never written down: the keystores are worthless once the demonstration's chain is gone.
  const password = randomBytes(16).toString('hex');
  const names = ['aggregator', ...Array.from({ length: clientCount }, (_, i) => `client-${i}`)];
  const [aggregator, ...clients] = await Promise.all(names.map((name) => createNode(folder, name, password)));
  const everybody = [aggregator!, ...clients];
  await fundFromLocalChain(
    connection,
    everybody.map(({ address }) => address),
    FUNDS_WEI,
  );
  const { privateKey } = await unlockKeystore(join(aggregator!.state, 'keystore.json'), password);
  const signer = signerOf(connection, privateKey);
  const deployment = await deployAssay({ rpcUrl: chain.url, account: signer.account });
  const preset = mnistMlp('MNIST demonstration');
  const store = await openPayloadStore(join(aggregator!.state, 'payloads'));
  const genesis = await storeGenesis(store, preset.manifest, seed, preset.maxUpdateNorm);
  const parameters = planParameters(settings, genesis, false);
  const created = await createFederation(
    connection,
    signer,
    deployment.factory,
    parameters,
    everybody.map(({ address }) => address),
  );
  return {
    connection,
    password,
    aggregator: aggregator!,
    clients,
    federation: created.address,
    gas: { contracts: deployment.gasUsed, createFederation: created.sent.gasUsed },
  };
}

async function createNode(folder: string, name: string, password: string): Promise<DemoNode> {
  const state = join(folder, 'nodes', name);
  await mkdir(state, { recursive: true });
  const { address } = await createKeystore(join(state, 'keystore.json'), password, { light: true });
  return { name, address, state };
}

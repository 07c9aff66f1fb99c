/**
 * One real chain for the tests of a file, with the contracts deployed, and federations on it: a table model of 450
 * coordinates (two chunks), so that a round takes a fraction of a second.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Hex, toHex } from 'viem';
import { generatePrivateKey } from 'viem/accounts';
import { auditFederation } from '../../../auditor/auditFederation.ts';
import type { AuditReport } from '../../../auditor/report/auditReport.ts';
import { createFederation } from '../../../chain/createFederation.ts';
import { deployAssay } from '../../../chain/deploy.ts';
import { Federation } from '../../../chain/federation.ts';
import { type Connection, connect, type Signer, signerOf } from '../../../chain/rpc.ts';
import { tabularMlp } from '../../../client/models/presets.ts';
import { createRandom } from '../../../client/random.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeManifest, type Manifest, manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { encodeModel } from '../../../protocol/encoding/vectors.ts';
import type { FederationParameters } from '../../../protocol/round/parameters.ts';
import { type FederationSettings, planParameters } from '../../../scripts/federation/settings.ts';
import {
  chosenChainEngine,
  freePort,
  fundFromLocalChain,
  type LocalChain,
  startLocalChain,
} from '../../../scripts/node/localChain.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { Cleanup } from './cleanup.ts';

export const ETHER = 10n ** 18n;
/**
 * When a test of real nodes has failed for certain. Many times what it takes on an idle machine: a slow one must not fail it,
 * and the deadlines that matter are the chain's.
 */
export const SLOW_MACHINE_MS = 600_000;
/** Two stakes of an aggregator: the chain's first account, which has 10,000, pays for the accounts of any one file. */
const FUNDS = 20n * ETHER;

/**
 * Long windows: they close early when all have acted. A test that needs a deadline to pass says when (`passDeadline`): a
 * short window would also close on honest nodes wherever the machine is slow.
 */
const SETTINGS: FederationSettings = {
  rule: 'fedavg',
  byzantine: 0,
  server: 'fedAvg',
  serverLearningRate: 1,
  serverMomentum: 0,
  participants: 3,
  rounds: 2,
  stake: ETHER,
  aggregatorStake: 10n * ETHER,
  missedRevealPenalty: ETHER / 10n,
  missedTurnPenalty: ETHER / 5n,
  commitWindow: 120,
  revealWindow: 120,
  aggregateWindow: 120,
  challengeWindow: 1,
  withdrawalDelay: 0,
  answerWindow: 30,
  proofBond: ETHER / 10n,
  bondGasPrice: 2,
  roundReward: 0n,
  aggregatorShare: 0,
  contributionShare: 0,
};

export interface FederationWish extends Partial<FederationSettings> {
  /** Closed federations name their members; open ones do not. */
  readonly members?: readonly Address[];
  readonly changeManifest?: (manifest: Manifest) => Manifest;
  readonly changeParameters?: (parameters: FederationParameters) => FederationParameters;
}

export interface SignerWish {
  /** Another way to the chain than the world's own. */
  readonly connection?: Connection | undefined;
  readonly privateKey?: Hex;
  readonly funded?: boolean;
}

export interface TestFederation {
  readonly federation: Federation;
  readonly address: Address;
  readonly manifest: Manifest;
  /** The documents that the node that deploys stores: manifest and first model. */
  readonly documents: readonly Uint8Array[];
}

export class World {
  readonly folder: string;
  readonly chain: LocalChain;
  readonly connection: Connection;
  readonly factory: Address;
  /** Ended after each test. */
  readonly test = new Cleanup();
  private folders = 0;

  private constructor(folder: string, chain: LocalChain, connection: Connection, factory: Address) {
    this.folder = folder;
    this.chain = chain;
    this.connection = connection;
    this.factory = factory;
  }

  static async start(): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'assay-scenario-'));
    const chain = await startLocalChain(await freePort(), join(folder, 'chain.log'));
    try {
      const connection = await connect({ rpcUrl: chain.url });
      const deployer = await fundedSigner(connection);
      const { factory } = await deployAssay({ rpcUrl: chain.url, account: deployer.account });
      return new World(folder, chain, connection, factory);
    } catch (error) {
      await chain.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.test.run();
    await this.chain.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Lets the chain go on by so many empty blocks. */
  async mine(blocks: number): Promise<void> {
    const method = chosenChainEngine() === 'anvil' ? 'anvil_mine' : 'hardhat_mine';
    await this.connection.publicClient.request({ method, params: [toHex(blocks)] } as never);
  }

  /** Lets the chain's clock go on by so much at once; every deadline until then has passed. */
  async passTime(seconds: number): Promise<void> {
    await this.connection.publicClient.request({ method: 'evm_increaseTime', params: [seconds] } as never);
    await this.mine(1);
  }

  /** Ends the round's phase or turn under way by its deadline; what follows begins with its whole window. */
  async passDeadline({ federation }: TestFederation, round: number): Promise<void> {
    const { deadline, phase } = await federation.round(round);
    if (deadline === 0) throw new Error(`round ${round} has no deadline in ${phase}`);
    await this.passUntil(deadline, federation);
  }

  /** Lets the chain's clock come to that second, and to the next block at least. */
  async passUntil(time: number, federation: Federation): Promise<void> {
    await this.passTime(Math.max(1, time - (await federation.chainTime())));
  }

  /** A new folder inside the world's. */
  async newFolder(name: string): Promise<string> {
    const path = join(this.folder, `${++this.folders}-${name}`);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** A new account, with ether unless told. */
  async signer(wish: SignerWish = {}): Promise<Signer> {
    const { connection = this.connection, privateKey = generatePrivateKey(), funded = true } = wish;
    if (funded) await fundedSigner(this.connection, privateKey);
    return signerOf(connection, privateKey);
  }

  async federation(wish: FederationWish = {}): Promise<TestFederation> {
    const { members, changeManifest, changeParameters, ...settings } = wish;
    const preset = tabularMlp('scenario', { features: 4, classes: 2, hidden: 64 });
    const manifest = changeManifest?.(preset.manifest) ?? preset.manifest;
    const dimension = manifestDimension(manifest);
    const layout = vectorLayout(dimension);
    const random = createRandom('scenario', 'first model');
    const model = Int32Array.from({ length: dimension }, () => random.nextInt(2 ** 22) - 2 ** 21);
    const documents = [encodeManifest(manifest), encodeModel(model, layout)];
    const store = await openPayloadStore(await this.newFolder('documents'));
    const [manifestCid, modelCid] = await Promise.all(documents.map(async (bytes) => (await store.put(bytes)).cid));
    const genesis = {
      manifestCid: manifestCid!,
      modelCid: modelCid!,
      modelRoot: commitModel(model, layout),
      dimension,
      maxUpdateNorm: preset.maxUpdateNorm,
    };
    const planned = planParameters({ ...SETTINGS, ...settings }, genesis, members === undefined);
    const parameters = changeParameters?.(planned) ?? planned;
    const owner = await this.signer();
    const created = await createFederation(this.connection, owner, this.factory, parameters, members ?? []);
    const federation = await Federation.at(this.connection, created.address);
    return { federation, address: created.address, manifest, documents };
  }

  /** The audit as a stranger would do it: the chain, and the gateways that members announced. */
  audit({ address }: TestFederation, rpcUrl: string = this.chain.url): Promise<AuditReport> {
    return auditFederation({ rpcUrl, federation: address, gateways: [], threads: 1 });
  }
}

async function fundedSigner(connection: Connection, privateKey: Hex = generatePrivateKey()): Promise<Signer> {
  const signer = signerOf(connection, privateKey);
  await fundFromLocalChain(connection, [signer.account.address], FUNDS);
  return signer;
}

/**
 * A world for the tests of a `describe`: started before the first, cleaned after each, ended after the last.
 *
 * @example
 * let world: World;
 * useWorld((started) => { world = started; });
 */
export function useWorld(use: (world: World) => void): void {
  let world: World | undefined;
  before(async () => {
    world = await World.start();
    use(world);
  });
  afterEach(() => world?.test.run());
  after(() => world?.stop());
}

/**
 * Looks again and again until `look` gives something other than undefined or false. The limit ends a test that hangs and
 * says what for, so it is below that of the tests (`SLOW_MACHINE_MS`).
 */
export async function until<T>(
  what: string | (() => string),
  look: () => Promise<T> | T,
  seconds = 300,
): Promise<NonNullable<T>> {
  const end = Date.now() + 1000 * seconds;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) return seen as NonNullable<T>;
    if (Date.now() > end) {
      throw new Error(`waited ${seconds} s in vain for ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

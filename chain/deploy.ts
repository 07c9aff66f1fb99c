/**
 * Deploys the contracts from their compiled artifacts with viem, from any Node process. The Ignition module
 * (ignition/modules/Assay.ts) does the same with a journal, for chains where a deployment must be resumable; a test
 * holds both to the same code.
 */
import { readFile } from 'node:fs/promises';
import {
  type Abi,
  type Account,
  type Address,
  type Chain,
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { AssayError } from '../protocol/errors.ts';

export interface DeployOptions {
  /** JSON-RPC endpoint. */
  readonly rpcUrl: string;
  /** Who pays; or give `privateKey`. */
  readonly account?: Account;
  readonly privateKey?: Hex;
  /** How long to wait for one receipt. */
  readonly receiptTimeoutMs?: number;
}

export interface Deployment {
  readonly factory: Address;
  readonly implementation: Address;
  readonly modules: Readonly<Record<ModuleName, Address>>;
  readonly chainId: number;
  readonly transactionHashes: readonly Hex[];
  /** Gas of all transactions together. */
  readonly gasUsed: bigint;
}

/** The contracts that a federation delegates to, by their field in contracts/federation/Modules.sol. */
export const MODULES = {
  membership: 'FederationMembership',
  relay: 'FederationRelay',
  proofs: 'FederationProofs',
  gramProofs: 'FederationGramProofs',
  availability: 'FederationAvailability',
  rewards: 'FederationRewards',
  views: 'FederationViews',
} as const;
export type ModuleName = keyof typeof MODULES;

interface Artifact {
  readonly abi: Abi;
  readonly bytecode: Hex;
}

const RECEIPT_TIMEOUT_MS = 60_000;

/**
 * Deploys the modules, Federation and FederationFactory.
 * @throws AssayError `CONTRACTS_NOT_COMPILED`, `DEPLOYER_MISSING`, `DEPLOYMENT_FAILED`; viem's error for an unreachable
 * endpoint.
 * @example
 * const { factory } = await deployAssay({ rpcUrl: 'http://127.0.0.1:8545', privateKey });
 */
export async function deployAssay(options: DeployOptions): Promise<Deployment> {
  const account = options.account ?? (options.privateKey && privateKeyToAccount(options.privateKey));
  if (account === undefined) {
    throw new AssayError('DEPLOYER_MISSING', { summary: 'nobody to pay for the deployment', fix: 'give an account' });
  }
  const transport = http(options.rpcUrl);
  const reader = createPublicClient({ transport, pollingInterval: 100 });
  const chainId = await reader.getChainId();
  const wallet = createWalletClient({ account, transport, chain: chainOf(chainId, options.rpcUrl) });

  const transactionHashes: Hex[] = [];
  let gasUsed = 0n;
  const deploy = async (contract: string, args: readonly unknown[]): Promise<Address> => {
    const { abi, bytecode } = await readArtifact(contract);
    const hash = await wallet.deployContract({ abi, bytecode, args });
    const receipt = await reader.waitForTransactionReceipt({
      hash,
      timeout: options.receiptTimeoutMs ?? RECEIPT_TIMEOUT_MS,
    });
    if (receipt.status !== 'success' || !receipt.contractAddress) {
      throw new AssayError('DEPLOYMENT_FAILED', {
        summary: `the deployment of ${contract} was reverted`,
        received: `transaction ${hash} in block ${receipt.blockNumber}`,
        fix: 'check that the chain allows contracts of 24,576 bytes (EIP-170) and that the account has enough coin',
      });
    }
    transactionHashes.push(hash);
    gasUsed += receipt.gasUsed;
    return receipt.contractAddress;
  };

  const modules: Partial<Record<ModuleName, Address>> = {};
  for (const name of Object.keys(MODULES) as ModuleName[]) modules[name] = await deploy(MODULES[name], []);
  const implementation = await deploy('Federation', [modules]);
  const factory = await deploy('FederationFactory', [implementation]);
  return {
    factory,
    implementation,
    modules: modules as Record<ModuleName, Address>,
    chainId,
    transactionHashes,
    gasUsed,
  };
}

async function readArtifact(contract: string): Promise<Artifact> {
  const path = new URL(`../artifacts/contracts/${contract}.sol/${contract}.json`, import.meta.url);
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Artifact;
  } catch (cause) {
    throw new AssayError('CONTRACTS_NOT_COMPILED', {
      summary: `the compiled contract ${contract} cannot be read`,
      fix: 'run `npx hardhat build`, or any npm script: set-up compiles the contracts',
      cause,
    });
  }
}

/** viem wants a chain description to sign for; everything in it comes from the endpoint. */
function chainOf(id: number, rpcUrl: string): Chain {
  return {
    id,
    name: `chain ${id}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  };
}

/** Puts a node together: chain, key, state folder, payload store, gateway, sources. Closed in the opposite order. */
import { join } from 'node:path';
import { Federation } from '../../chain/federation.ts';
import { unlockKeystore } from '../../chain/keystore.ts';
import { readPassword } from '../../chain/keystorePassword.ts';
import { type Connection, connect, type Signer, signerOf } from '../../chain/rpc.ts';
import { type GatewayOptions, startGateway } from '../../storage/gateway.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { openStateFolder, type StateFolder } from '../../storage/stateFolder.ts';
import type { ChainOptions, KeyOptions, NodeOptions } from '../options/shared.ts';
import { nodePayloads } from './sources.ts';

export interface Node {
  readonly federation: Federation;
  readonly signer: Signer;
  readonly state: StateFolder;
  readonly payloads: PayloadAccess;
  /** URL under which peers reach this node's payloads. */
  readonly gatewayUrl: string;
  close(): Promise<void>;
}

/**
 * @param owner what this process is, for a second one that wants the same state folder
 * @param say told what the operator should know while it waits
 * @param beside what the node's server answers besides payloads
 */
export async function openNode(
  options: NodeOptions,
  owner: string,
  say: (text: string) => void,
  beside?: (node: Pick<Node, 'federation' | 'signer'>) => NonNullable<GatewayOptions['beside']>,
): Promise<Node> {
  const state = await openStateFolder(options.state, { owner });
  const closers: (() => Promise<void>)[] = [() => state.close()];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const connection = await openChain(options, say);
    const federation = await Federation.at(connection, options.federation);
    const signer = await openSigner(connection, options, options.state);
    const store = await openPayloadStore(state.file('payloads'));
    const gateway = await startGateway({
      store,
      host: options.gatewayHost,
      port: options.gatewayPort,
      ...(beside === undefined ? {} : { beside: beside({ federation, signer }) }),
      onError: (error) => say(`gateway: ${error instanceof Error ? error.message : String(error)}`),
    });
    closers.push(() => gateway.close());
    const gatewayUrl = options.gatewayUrl ?? gateway.url;
    const payloads = await nodePayloads(federation, store, options, gatewayUrl, say);
    return { federation, signer, state, payloads, gatewayUrl, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export function openChain(options: ChainOptions, say: (text: string) => void): Promise<Connection> {
  return connect({
    rpcUrl: options.rpcUrl,
    patienceSeconds: options.rpcPatience,
    onConnection: say,
    ...(options.chainId === undefined ? {} : { chainId: options.chainId }),
  });
}

/** The key of a node: `keystore.json` in its state folder unless another file is named. */
export async function openSigner(connection: Connection, options: KeyOptions, folder: string): Promise<Signer> {
  const path = options.keystore ?? join(folder, 'keystore.json');
  const password = await readPassword({ file: options.passwordFile, prompt: `Password of ${path}: ` });
  const { privateKey } = await unlockKeystore(path, password);
  return signerOf(connection, privateKey);
}

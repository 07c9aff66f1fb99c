/** Options that several commands share. */
import { type Command, Option } from 'commander';
import { withConfigFile } from './configFile.ts';
import { httpUrl, httpUrls, integer, oneOf } from './values.ts';

export interface ChainOptions {
  readonly rpcUrl: string;
  readonly chainId?: number;
  readonly rpcPatience: number;
}

export function withChain(command: Command): Command {
  return command
    .option('--rpc-url <url>', 'JSON-RPC address of an Ethereum node', httpUrl, 'http://127.0.0.1:8545')
    .option('--chain-id <number>', 'refuse any other chain', integer(1))
    .option('--rpc-patience <seconds>', 'how long to wait for a chain that does not answer', integer(0), 60);
}

export interface KeyOptions {
  readonly keystore?: string;
  readonly passwordFile?: string;
}

export function withKey(command: Command): Command {
  return command
    .option('--keystore <file>', 'encrypted key (Web3 Secret Storage); default: keystore.json in the state folder')
    .option('--password-file <file>', 'file whose first line opens the keystore; else $ASSAY_PASSWORD, else a prompt');
}

export interface SourceOptions {
  readonly peer: readonly string[];
  readonly kuboRpc?: string;
  readonly publicGateway: readonly string[];
}

export function withSources(command: Command): Command {
  return command
    .option(
      '--peer <url>',
      'gateway to ask for payloads besides those announced on the chain; repeatable',
      httpUrls,
      [],
    )
    .option(
      '--kubo-rpc <url>',
      'RPC address of a Kubo daemon of your own: payloads are pinned there and fetched from it',
      httpUrl,
    )
    .option(
      '--public-gateway <url>',
      'public IPFS gateway to ask last; none is ever asked by itself; repeatable',
      httpUrls,
      [],
    );
}

export interface NodeOptions extends ChainOptions, KeyOptions, SourceOptions {
  readonly federation: string;
  readonly state: string;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
  readonly gatewayUrl?: string;
  readonly stake?: bigint;
  readonly pollMs: number;
  readonly log: 'text' | 'json';
}

/** What both kinds of node take. */
export function withNode(command: Command): Command {
  withSources(withKey(withChain(command)))
    .requiredOption('--federation <address>', 'address of the federation, as `assay deploy` prints it')
    .requiredOption('--state <folder>', 'folder in which this node keeps its key, payloads and progress')
    .option('--gateway-host <host>', 'address on which this node serves payloads to its peers', '127.0.0.1')
    .option('--gateway-port <port>', 'port for it; 0 takes a free one', integer(0, 65535), 0)
    .option('--gateway-url <url>', 'URL under which peers reach it, when that is another one', httpUrl)
    .option('--poll-ms <ms>', 'pause between two looks at the chain', integer(20, 60_000), 250)
    .addOption(
      new Option('--log <form>', 'lines for people or JSON lines for machines')
        .argParser(oneOf('text', 'json'))
        .default('text'),
    );
  return withFacts(withConfigFile(command));
}

/** Where an audit's evidence comes from. */
export interface EvidenceSourceOptions {
  readonly rpcUrl: string;
  readonly chainId?: number;
  readonly federation?: string;
  readonly gateway: readonly string[];
  readonly anyGateway: boolean;
  readonly fromBlock?: number;
}

export function withEvidenceSource(command: Command): Command {
  return command
    .option('--rpc-url <url>', 'JSON-RPC address of an Ethereum node', httpUrl, 'http://127.0.0.1:8545')
    .option('--chain-id <number>', 'refuse any other chain', integer(1))
    .option('--federation <address>', 'address of the federation')
    .option(
      '--gateway <url>',
      'gateway to ask for payloads, before those announced on the chain; repeatable',
      httpUrls,
      [],
    )
    .option('--any-gateway', 'also ask gateways that members announced outside this machine', false)
    .option('--from-block <number>', 'block in which the federation was created, or an earlier one', integer(0));
}

export interface FactsOptions {
  readonly json?: string;
}

/** `--json FILE`: the command's facts for machines (docs/spec/facts.md). */
export function withFacts(command: Command): Command {
  return command.option('--json <file>', 'write the facts of this run to a JSON file');
}

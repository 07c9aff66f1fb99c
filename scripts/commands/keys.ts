/** `assay keys`: the keys that nodes sign with. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatEther } from 'viem';
import { createKeystore, readKeystoreAddress } from '../../chain/keystore.ts';
import { readPassword } from '../../chain/keystorePassword.ts';
import { AssayError } from '../../protocol/errors.ts';
import { fundFromLocalChain } from '../node/localChain.ts';
import { openChain } from '../node/openNode.ts';
import { parseAddress } from '../options/address.ts';
import { type ChainOptions, type FactsOptions, withChain, withFacts } from '../options/shared.ts';
import { etherOption } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

const EXAMPLES = `
Examples:
  $ assay keys create --state nodes/north
  $ assay keys show --state nodes/north
  $ assay keys fund 0xAb58.. --amount 20            on a local Hardhat or anvil chain`;

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('Create and show encrypted keys; fund them on a local chain.');
  keys.addHelpText('after', EXAMPLES);
  withFacts(
    keys
      .command('create')
      .description(
        'Create a new key in an encrypted file (Web3 Secret Storage); an existing file is never overwritten.',
      )
      .option('--state <folder>', 'state folder of the node: the key becomes its keystore.json')
      .option('--keystore <file>', 'file to create, instead of the one in a state folder')
      .option(
        '--password-file <file>',
        'file whose first line becomes the password; else $ASSAY_PASSWORD, else a prompt',
      )
      .option('--light', 'cheap key derivation, for tests and demonstrations', false),
  ).action(createKey);
  withFacts(
    keys
      .command('show')
      .description('Show the address of a key; needs no password.')
      .option('--state <folder>', 'state folder of the node')
      .option('--keystore <file>', 'keystore file, instead of the one in a state folder'),
  ).action(showKey);
  withFacts(
    withChain(
      keys
        .command('fund')
        .argument('<address...>', 'accounts to fund')
        .description('Send ether from the first account of a local development chain (chain id 31337).')
        .addOption(etherOption('--amount <ether>', 'ether for each account', '100')),
    ),
  ).action(fundKeys);
}

interface KeyFileOptions extends FactsOptions {
  readonly state?: string;
  readonly keystore?: string;
}

function keystorePath({ state, keystore }: KeyFileOptions): string {
  if (keystore !== undefined) return keystore;
  if (state !== undefined) return join(state, 'keystore.json');
  throw new AssayError('KEYSTORE_PATH', {
    summary: 'no keystore named',
    expected: '--state FOLDER or --keystore FILE',
    received: 'neither',
  });
}

async function createKey(options: KeyFileOptions & { passwordFile?: string; light: boolean }): Promise<void> {
  const path = keystorePath(options);
  const password = await readPassword({
    file: options.passwordFile,
    prompt: `New password for ${path}: `,
    confirm: true,
  });
  const { address } = await createKeystore(path, password, { light: options.light });
  process.stdout.write(`${address}  ${path}\n`);
  await writeFacts(options.json, { command: 'keys create', address, path });
}

async function showKey(options: KeyFileOptions): Promise<void> {
  const path = keystorePath(options);
  const address = await readKeystoreAddress(path);
  process.stdout.write(`${address}  ${path}\n`);
  await writeFacts(options.json, { command: 'keys show', address, path });
}

async function fundKeys(
  addresses: readonly string[],
  options: ChainOptions & FactsOptions & { amount: bigint },
): Promise<void> {
  const accounts = addresses.map(parseAddress);
  const connection = await openChain(options, (text) => process.stderr.write(`${text}\n`));
  const transactions = await fundFromLocalChain(connection, accounts, options.amount);
  for (const account of accounts) process.stdout.write(`${account} received ${formatEther(options.amount)} ether\n`);
  await writeFacts(options.json, { command: 'keys fund', accounts, amountWei: options.amount, transactions });
}

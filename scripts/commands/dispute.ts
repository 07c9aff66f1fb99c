/** `assay dispute`: brings a proof that an audit wrote before the federation's contract. */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { accuse } from '../../auditor/disputes/accuse.ts';
import type { Judgement } from '../../auditor/disputes/submitProof.ts';
import { unlockKeystore } from '../../chain/keystore.ts';
import { readPassword } from '../../chain/keystorePassword.ts';
import { MAX_PROOF_BYTES, parseProofFile } from '../../protocol/dispute/proofFile.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type FactsOptions, withFacts } from '../options/shared.ts';
import { httpUrl, integer } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

interface DisputeOptions extends FactsOptions {
  readonly rpcUrl: string;
  readonly fromBlock?: number;
  readonly keystore: string;
  readonly passwordFile?: string;
  readonly force: boolean;
}

const EXAMPLES = `
Examples:
  $ assay audit --federation 0x5FbD.. --proofs proofs
  $ assay dispute proofs/badCoordinate-round-3.proof.json --keystore keys/auditor.json

The proof is judged here first, by the rules of the contract: what would lose its bond is not sent. A proof that convicts
earns half of the liar's stake; the other half is burned.`;

export function addDisputeCommand(program: Command): void {
  withFacts(withConfigFile(program.command('dispute')))
    .description('Prove a fraud on the chain: the liar is slashed, its submission or publication falls.')
    .argument('<file>', 'proof file, as `assay audit --proofs` writes it')
    .option('--rpc-url <url>', 'JSON-RPC address of an Ethereum node', httpUrl, 'http://127.0.0.1:8545')
    .option('--from-block <number>', 'block in which the federation was created, or an earlier one', integer(0))
    .requiredOption('--keystore <file>', 'encrypted key of the account that accuses and pays the bond')
    .option('--password-file <file>', 'file whose first line opens the keystore; else $ASSAY_PASSWORD, else a prompt')
    .option('--force', 'send a proof that shows no fraud, too: it loses its bond', false)
    .addHelpText('after', EXAMPLES)
    .action(runDispute);
}

async function runDispute(path: string, options: DisputeOptions): Promise<void> {
  const file = parseProofFile(await readBounded(path));
  const password = await readPassword({ file: options.passwordFile, prompt: `Password of ${options.keystore}: ` });
  const { privateKey } = await unlockKeystore(options.keystore, password);
  const { rpcUrl, fromBlock, force } = options;
  const judgement = await accuse({ rpcUrl, fromBlock, force, file, privateKey });
  process.stdout.write(`${sentence(judgement)}\n`);
  const { kind, round } = file.proof;
  await writeFacts(options.json, { command: 'dispute', federation: file.federation, proof: kind, round, ...judgement });
  process.exitCode = judgement.verdict === 'rejected' ? 1 : 0;
}

function sentence({ verdict, accused, role, transaction, gasUsed, reward, burned, bond }: Judgement): string {
  const where = `in ${transaction}, ${gasUsed} gas`;
  if (verdict === 'rejected') return `REJECTED: the number is right. The bond of ${bond} went to ${accused} ${where}`;
  if (verdict === 'voided') return `VOIDED: the copy of ${role} ${accused} does not count any more ${where}`;
  return `CONVICTED: ${role} ${accused} lost its stake, ${burned} burned, ${reward} credited to you ${where}`;
}

/** A little more than the largest proof: what is longer is refused by its length, not by running out of memory. */
async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = new Uint8Array(Math.min((await file.stat()).size, MAX_PROOF_BYTES + 1));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

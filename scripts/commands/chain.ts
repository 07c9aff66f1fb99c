/** `assay chain`: a development chain on this machine. */
import { devNull } from 'node:os';
import type { Command } from 'commander';
import { startLocalChain } from '../node/localChain.ts';
import { stopSignal, untilStopped } from '../node/untilStopped.ts';
import { type FactsOptions, withFacts } from '../options/shared.ts';
import { integer } from '../options/values.ts';
import { writeFacts } from '../output/facts.ts';

const EXAMPLES = `
Examples:
  $ assay chain
  $ assay chain --port 8546 --log chain.log

The chain forgets everything when it ends. Its accounts are well known: use it for nothing of value.`;

export function addChainCommand(program: Command): void {
  withFacts(program.command('chain'))
    .description('Run a local development chain (Hardhat) on 127.0.0.1.')
    .option('--port <port>', 'port to listen on', integer(1, 65535), 8545)
    .option('--log <file>', 'write what the chain prints to a file')
    .addHelpText('after', EXAMPLES)
    .action(runChain);
}

async function runChain(options: FactsOptions & { port: number; log?: string }): Promise<void> {
  const signal = stopSignal();
  const chain = await startLocalChain(options.port, options.log ?? devNull);
  try {
    process.stdout.write(`chain 31337 at ${chain.url}; Ctrl-C ends it\n`);
    await writeFacts(options.json, { command: 'chain', chainId: 31337, rpcUrl: chain.url });
    await Promise.race([untilStopped(signal), chain.ended]);
  } finally {
    await chain.stop();
  }
}

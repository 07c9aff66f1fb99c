/** `assay watch`: a watchtower, which audits every publication as it comes and proves on the chain what is wrong. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { WatchEvent } from '../../auditor/watch/events.ts';
import { watch } from '../../auditor/watch/watch.ts';
import { unlockKeystore } from '../../chain/keystore.ts';
import { readPassword } from '../../chain/keystorePassword.ts';
import { AssayError } from '../../protocol/errors.ts';
import { openStateFolder } from '../../storage/stateFolder.ts';
import { stopSignal } from '../node/untilStopped.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type EngineOptions, withEngine } from '../options/engine.ts';
import {
  type EvidenceSourceOptions,
  type FactsOptions,
  type KeyOptions,
  withEvidenceSource,
  withFacts,
  withKey,
} from '../options/shared.ts';
import { integer, oneOf } from '../options/values.ts';
import { FactsFile } from '../output/factsFile.ts';
import { nodeLog } from '../output/nodeLog.ts';
import { describeWatchEvent } from '../output/watchLog.ts';

interface WatchCommandOptions extends EvidenceSourceOptions, KeyOptions, FactsOptions, EngineOptions {
  readonly state: string;
  readonly pollMs: number;
  readonly patience: number;
  readonly answer: boolean;
  readonly exit: boolean;
  readonly workFolder?: string;
  readonly log: 'text' | 'json';
}

const EXAMPLES = `
Examples:
  $ assay keys create --out nodes/watch/keystore.json
  $ assay watch --federation 0x5FbD.. --state nodes/watch
  $ assay watch --federation 0x5FbD.. --state nodes/watch --gateway http://127.0.0.1:4100 --answer

It needs coin for gas and for bonds, which come back as credit. Whoever it convicts loses the stake: half of it is credited
to this account, half is burned. Restart it in the same state folder: nothing is sent twice.`;

export function addWatchCommand(program: Command): void {
  withFacts(withConfigFile(withKey(withEngine(withEvidenceSource(program.command('watch'))))))
    .description('Watch a federation: audit each publication at once, prove fraud, ask for what is withheld.')
    .requiredOption('--state <folder>', 'folder in which this watchtower keeps its key, its journal and its proofs')
    .option('--poll-ms <ms>', 'pause between two looks at the chain', integer(20, 60_000), 1000)
    .option('--patience <seconds>', 'how long missing bytes may still come before they are asked for', integer(0), 30)
    .option('--answer', 'also answer what others ask for and its owner does not, for the bond', false)
    .option('--exit', 'end when the last round is final', false)
    .option('--work-folder <folder>', 'where payloads that do not fit into memory lie while they are needed')
    .addOption(
      new Option('--log <form>', 'lines for people or JSON lines for machines')
        .argParser(oneOf('text', 'json'))
        .default('text'),
    )
    .addHelpText('after', EXAMPLES)
    .action(runWatch);
}

async function runWatch(options: WatchCommandOptions): Promise<void> {
  const signal = stopSignal();
  const log = nodeLog<WatchEvent>(options.log, describeWatchEvent);
  const { federation } = options;
  if (federation === undefined) {
    throw new AssayError('WATCH_TARGET', {
      summary: 'nothing to watch',
      expected: '--federation ADDRESS',
      received: 'none',
    });
  }
  const state = await openStateFolder(options.state, { owner: 'assay watch' });
  try {
    const path = options.keystore ?? join(options.state, 'keystore.json');
    const password = await readPassword({ file: options.passwordFile, prompt: `Password of ${path}: ` });
    const { address, privateKey } = await unlockKeystore(path, password);
    const facts = new FactsFile(options.json, { command: 'watch', federation, account: address });
    const report = (event: WatchEvent): void => {
      log.event(event);
      facts.add(event);
      facts.write().catch(() => undefined);
    };
    const {
      rpcUrl,
      chainId,
      fromBlock,
      anyGateway,
      gateway: gateways,
      answer,
      exit,
      engine,
      threads,
      workFolder,
    } = options;
    await watch({
      ...{ rpcUrl, chainId, fromBlock, anyGateway, gateways, answer, exit, engine, threads, workFolder },
      ...{ federation, privateKey, report, signal },
      folder: state.path,
      pollMilliseconds: options.pollMs,
      patienceSeconds: options.patience,
    });
    await facts.write();
  } finally {
    await state.close();
  }
}

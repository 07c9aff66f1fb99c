/** `assay export`: all public evidence of a federation in one file. */
import type { Command } from 'commander';
import { exportBundle } from '../../auditor/bundle.ts';
import { AssayError } from '../../protocol/errors.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type EvidenceSourceOptions, type FactsOptions, withEvidenceSource, withFacts } from '../options/shared.ts';
import { writeFacts } from '../output/facts.ts';
import { bytes } from '../output/text.ts';

const EXAMPLES = `
Examples:
  $ assay export --federation 0x5FbD.. --out evidence.car
  $ assay audit --bundle evidence.car`;

export function addExportCommand(program: Command): void {
  withFacts(withConfigFile(withEvidenceSource(program.command('export'))))
    .description('Write events, receipts and payloads into one evidence bundle (CAR) for an offline audit.')
    .requiredOption('--out <file>', 'file to write')
    .addHelpText('after', EXAMPLES)
    .action(runExport);
}

async function runExport(options: EvidenceSourceOptions & FactsOptions & { out: string }): Promise<void> {
  const { federation } = options;
  if (federation === undefined) {
    throw new AssayError('EXPORT_TARGET', { summary: 'nothing to export', expected: '--federation ADDRESS' });
  }
  const result = await exportBundle({
    ...options,
    federation,
    gateways: options.gateway,
    path: options.out,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  process.stdout.write(
    `${result.path}: ${result.payloads} payloads, ${bytes(result.payloadBytes)}, root ${result.root}\n`,
  );
  for (const cid of result.missing) process.stdout.write(`missing: nobody served ${cid}\n`);
  await writeFacts(options.json, { command: 'export', federation, ...result });
  if (result.missing.length > 0) process.exitCode = 1;
}

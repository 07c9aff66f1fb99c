/** `assay audit`: replays every round from public evidence alone. */
import type { Command } from 'commander';
import { type AuditProgress, auditFederation } from '../../auditor/auditFederation.ts';
import { auditBundle } from '../../auditor/bundle.ts';
import { type AuditReport, auditExitCode, jsonReport } from '../../auditor/report/auditReport.ts';
import { htmlReport } from '../../auditor/report/htmlReport.ts';
import { roundLine, tableReport } from '../../auditor/report/tableReport.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { withConfigFile } from '../options/configFile.ts';
import { type EngineOptions, withEngine } from '../options/engine.ts';
import { type EvidenceSourceOptions, type FactsOptions, withEvidenceSource, withFacts } from '../options/shared.ts';
import { integer } from '../options/values.ts';

interface AuditCommandOptions extends EvidenceSourceOptions, FactsOptions, EngineOptions {
  readonly bundle?: string;
  readonly bundleRoot?: string;
  readonly round?: number;
  readonly from?: number;
  readonly to?: number;
  readonly memory?: string;
  readonly concurrency: number;
  readonly workFolder?: string;
  readonly html?: string;
  readonly proofs: string;
}

const EXAMPLES = `
Examples:
  $ assay audit --federation 0x5FbD..
  $ assay audit --federation 0x5FbD.. --gateway http://127.0.0.1:4100 --html audit.html --json audit.json
  $ assay audit --federation 0x5FbD.. --memory audit-memory.json       a second audit replays new rounds only
  $ assay audit --bundle evidence.car                                  offline

Ends with status 0 only if every published round holds. A fraud that the contract can judge is written down as a proof:
"assay dispute" submits it.`;

export function addAuditCommand(program: Command): void {
  withFacts(withConfigFile(withEngine(withEvidenceSource(program.command('audit')))))
    .description('Replay every round from the chain and the payloads, to the last bit.')
    .option('--bundle <file>', 'audit an evidence bundle offline instead of a live federation')
    .option('--bundle-root <cid>', 'refuse any other bundle than the one of this CID')
    .option('--round <n>', 'audit this round only', integer(1))
    .option('--from <n>', 'first round to audit', integer(1))
    .option('--to <n>', 'last round to audit', integer(1))
    .option('--memory <file>', 'remember rounds that held, and replay only new ones next time')
    .option('--concurrency <n>', 'rounds at a time', integer(1, 64), 4)
    .option('--work-folder <folder>', 'where payloads that do not fit into memory lie while they are needed')
    .option('--proofs <folder>', 'where to write a proof of each fraud that is found', 'proofs')
    .option('--html <file>', 'write the report as one HTML file')
    .addHelpText('after', EXAMPLES)
    .action(runAudit);
}

async function runAudit(options: AuditCommandOptions): Promise<void> {
  const report = await audit(options);
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(tableReport(report));
  if (options.html !== undefined) await writeFileAtomic(options.html, htmlReport(report));
  if (options.json !== undefined) await writeFileAtomic(options.json, jsonReport(report));
  process.exitCode = auditExitCode(report);
}

function audit(options: AuditCommandOptions): Promise<AuditReport> {
  const scope = {
    rounds: { from: options.round ?? options.from, to: options.round ?? options.to },
    cachePath: options.memory,
    concurrency: options.concurrency,
    ...{ engine: options.engine, threads: options.threads, workFolder: options.workFolder },
    proofFolder: options.proofs,
    onProgress: tellProgress,
  };
  if (options.bundle !== undefined) return auditBundle(options.bundle, { ...scope, root: options.bundleRoot });
  const { federation } = options;
  if (federation === undefined) {
    throw new AssayError('AUDIT_TARGET', {
      summary: 'nothing to audit',
      expected: '--federation ADDRESS, or --bundle FILE',
      received: 'neither',
    });
  }
  return auditFederation({ ...options, federation, gateways: options.gateway, ...scope });
}

/** Progress goes to standard error, so that the report can be piped: one line that moves on a terminal, lines elsewhere. */
function tellProgress(progress: AuditProgress): void {
  const line = progress.type === 'round' ? roundLine(progress.report) : progress.message;
  process.stderr.write(
    process.stderr.isTTY ? `\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}` : `${line}\n`,
  );
}

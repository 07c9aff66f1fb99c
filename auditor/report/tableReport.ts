/** The audit for a terminal: one line a round, then every finding with what was expected and what came. */
import type { AuditReport, ReportFinding, RoundReport } from './auditReport.ts';

const COLUMNS = ['round', 'phase', 'updates', 'payloads', 'model root', 'claimed acc.', 'result', 'seconds'] as const;

/** The whole report, with a final newline. */
export function tableReport(report: AuditReport): string {
  const lines = [...tableLines(report.rounds)];
  const noted = report.rounds.flatMap(({ round, notes }) =>
    notes.map((note) => `  note, round ${round}: ${printable(note)}`),
  );
  if (noted.length > 0) lines.push('', ...noted);
  if (report.findings.length > 0) lines.push('', ...report.findings.flatMap(findingLines));
  if (!report.parameters.enforced) {
    lines.push('', `Audit only: the contract judges no proof of what ${report.parameters.rule} makes of the updates.`);
  }
  lines.push('', verdict(report));
  return `${lines.join('\n')}\n`;
}

/** One sentence: what the audit says. */
export function verdict(report: AuditReport): string {
  const published = report.rounds.filter(({ verified }) => verified !== 'unpublished');
  const breaches = report.findings.filter(({ severity }) => severity === 'breach').length;
  const misconduct = report.findings.length - breaches;
  const aside = misconduct === 0 ? '' : ` ${plural(misconduct, 'case')} of misconduct that no result depends on.`;
  const seconds = `${report.seconds.toFixed(2)} s, ${report.engine} engine`;
  if (report.ok) {
    return `AUDIT OK: ${plural(published.length, 'published round')} of ${report.federation} computed anew to the last bit (${seconds}).${aside}`;
  }
  const unverifiable = published.filter(({ verified }) => verified === 'unverifiable').length;
  const unchecked = unverifiable === 0 ? '' : `, ${plural(unverifiable, 'round')} could not be computed anew`;
  return `AUDIT FAILED: ${plural(breaches, 'finding')} in ${plural(published.length, 'published round')} of ${report.federation}${unchecked} (${seconds}).${aside}`;
}

/** One line for one round, as it is audited. */
export function roundLine(round: RoundReport): string {
  const [, line] = tableLines([round]);
  return line!;
}

function tableLines(rounds: readonly RoundReport[]): string[] {
  const rows = rounds.map((round) => [
    String(round.round),
    round.phase,
    String(round.updates),
    bytes(round.payloadBytes),
    round.modelRoot === null ? '-' : shortRoot(round.modelRoot),
    round.claimedAccuracy === null ? '-' : round.claimedAccuracy.toFixed(4),
    result(round),
    round.seconds.toFixed(2),
  ]);
  const widths = COLUMNS.map((title, c) =>
    Math.max(title.length, MIN_WIDTHS[c]!, ...rows.map((row) => row[c]!.length)),
  );
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, c) => (c === 1 || c === 4 || c === 6 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join('  ')
      .trimEnd();
  return [format(COLUMNS), ...rows.map(format)];
}

/** So that lines printed one by one stand under each other. */
const MIN_WIDTHS = [5, 9, 7, 9, 21, 12, 12, 7];

function result(round: RoundReport): string {
  const breaches = round.findings.filter(({ severity }) => severity === 'breach').length;
  if (breaches > 0) return plural(breaches, 'finding').toUpperCase();
  if (round.verified === 'unverifiable') return 'UNVERIFIED';
  const aside = round.findings.length === 0 ? '' : ` (+${round.findings.length} aside)`;
  if (round.verified === 'unpublished') return `-${aside}`;
  return `${round.verified === 'remembered' ? 'ok (before)' : 'ok'}${aside}`;
}

function findingLines(finding: ReportFinding): string[] {
  const { kind, severity, round, role, accused, message, expected, received, divergence, proof } = finding;
  const where = round === 0 ? 'federation' : `round ${round}`;
  const who = accused === null ? role : `${role} ${accused}`;
  const lines = [
    `${severity === 'breach' ? 'FINDING' : 'aside'}  ${where}  ${kind}  ${who}`,
    `  ${printable(message)}`,
  ];
  if (expected !== null) lines.push(`  Expected: ${printable(expected)}`);
  if (received !== null) lines.push(`  Received: ${printable(received)}`);
  if (divergence !== null) {
    const { chunk, coordinate, expected: right, published } = divergence;
    lines.push(
      `  First divergence: chunk ${chunk}, coordinate ${coordinate}: expected ${right}, published ${published}`,
    );
  }
  if (proof !== null) lines.push(`  Proof: ${printable(proof)} (assay dispute submits it)`);
  return lines;
}

/** Text from others must not move the cursor or colour the terminal. */
function printable(text: string): string {
  return Array.from(text, (character) => (/[\p{Cc}\p{Cf}]/u.test(character) ? ' ' : character)).join('');
}

function shortRoot(root: string): string {
  return `${root.slice(0, 12)}..${root.slice(-6)}`;
}

function bytes(count: number): string {
  if (count < 10_000) return `${count} B`;
  if (count < 10_000_000) return `${(count / 1000).toFixed(0)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

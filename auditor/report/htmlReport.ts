/**
 * The audit as one HTML file that needs nothing else: no script, no font, no image from anywhere. Everything in it that
 * somebody else wrote is escaped, and a content security policy forbids the rest.
 */
import type { AuditReport, ReportFinding, RoundReport } from './auditReport.ts';
import { verdict } from './tableReport.ts';

export interface GasLine {
  readonly action: string;
  readonly count: number;
  readonly mean: number;
  readonly max: number;
}

export interface HtmlReportOptions {
  /** Gas by action, where the caller knows it. */
  readonly gas?: readonly GasLine[] | undefined;
  readonly title?: string | undefined;
}

export function htmlReport(report: AuditReport, { gas, title = 'Assay audit' }: HtmlReportOptions = {}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}: ${report.ok ? 'OK' : 'FAILED'}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="verdict ${report.ok ? 'ok' : 'bad'}">${escapeHtml(verdict(report))}</p>
${federationSection(report)}
${report.findings.length === 0 ? '' : section('Findings', report.findings.map(findingHtml).join('\n'))}
${section('Rounds', roundsTable(report.rounds))}
${chartSection(report.rounds)}
${weightSection(report.rounds)}
${gas === undefined || gas.length === 0 ? '' : section('Gas', gasTable(gas))}
<footer>Everything marked ok was computed anew from the chain and the payloads alone. Claimed accuracies are the aggregators’ own:
nobody can check them.</footer>
</main>
</body>
</html>
`;
}

/** Text as HTML content or a quoted attribute's value. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>\n${content}\n</section>`;
}

function federationSection(report: AuditReport): string {
  const { parameters, head } = report;
  const facts: (readonly [string, string])[] = [
    ['Federation', report.federation],
    ['Chain', `id ${report.chainId}, block ${head.number} (${head.hash})`],
    ['Read from', report.source],
    ['Read at block time', new Date(head.timestamp * 1000).toISOString()],
    ['Rule', `${parameters.rule}, f = ${parameters.byzantine}`],
    ['Server step', parameters.serverOptimizer],
    ['Enforcement', parameters.enforced ? 'fraud proofs' : 'audit only: the contract does not judge this rule'],
    ['Computed anew by', `the ${report.engine} engine`],
    ['Model', `${parameters.dimension.toLocaleString('en')} coordinates in chunks of ${parameters.chunkSize}`],
    ['Norm bound', parameters.normSqBound === null ? 'none' : `squared norm ${parameters.normSqBound}`],
    ['Challenge window', `${parameters.challengeWindowSeconds} s`],
    [
      'Rounds',
      `${report.currentRound} of ${parameters.totalRounds === 0 ? 'no fixed number' : parameters.totalRounds}, final up to ${report.lastFinalRound}`,
    ],
    ['Genesis model root', parameters.genesisModelRoot],
  ];
  const rows = facts.map(
    ([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return section('Federation', `<table class="facts">${rows.join('')}</table>`);
}

function findingHtml({
  kind,
  severity,
  round,
  role,
  accused,
  message,
  expected,
  received,
  divergence,
  proof,
}: ReportFinding): string {
  const lines: (readonly [string, string])[] = [];
  lines.push(['Accused', accused === null ? role : `${role} ${accused}`]);
  if (expected !== null) lines.push(['Expected', expected]);
  if (received !== null) lines.push(['Received', received]);
  if (divergence !== null) {
    const { chunk, coordinate, expected: right, published } = divergence;
    lines.push([
      'First divergence',
      `chunk ${chunk}, coordinate ${coordinate}: expected ${right}, published ${published}`,
    ]);
  }
  if (proof !== null) lines.push(['Proof', proof]);
  const list = lines.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('');
  const where = round === 0 ? 'Federation' : `Round ${round}`;
  return `<article class="finding ${severity}"><h3>${where}: ${escapeHtml(kind)} <small>${severity}</small></h3><p>${escapeHtml(message)}</p><dl>${list}</dl></article>`;
}

function roundsTable(rounds: readonly RoundReport[]): string {
  const head = [
    'Round',
    'Result',
    'Phase',
    'Updates',
    'Payload bytes',
    'Model root',
    'Published by',
    'Claimed accuracy',
    'Seconds',
  ];
  const body = rounds.map((round) => {
    const breaches = round.findings.filter(({ severity }) => severity === 'breach').length;
    const result = breaches > 0 ? `${breaches} finding${breaches === 1 ? '' : 's'}` : RESULTS[round.verified];
    const notes = round.notes.map((note) => `<br><small>${escapeHtml(note)}</small>`).join('');
    const cells = [
      `<td>${round.round}</td>`,
      `<td class="${round.ok ? 'ok' : 'bad'}">${escapeHtml(result)}${notes}</td>`,
      `<td>${escapeHtml(round.phase)}</td>`,
      `<td>${round.updates}</td>`,
      `<td>${round.payloadBytes.toLocaleString('en')}</td>`,
      hashCell(round.modelRoot),
      hashCell(round.publishedBy),
      `<td>${round.claimedAccuracy === null ? '-' : round.claimedAccuracy.toFixed(4)}</td>`,
      `<td>${round.seconds.toFixed(2)}</td>`,
    ];
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="wide"><table><thead><tr>${head.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

/** Short enough for a table; whole in the tool tip and for whoever copies the cell's title. */
function hashCell(hash: string | null): string {
  if (hash === null) return '<td>-</td>';
  return `<td title="${escapeHtml(hash)}"><code>${escapeHtml(`${hash.slice(0, 10)}…${hash.slice(-6)}`)}</code></td>`;
}

const RESULTS: Record<RoundReport['verified'], string> = {
  replayed: 'ok',
  remembered: 'ok, verified before',
  unpublished: 'not published',
  unverifiable: 'not verified',
};

/** Claimed accuracy by round as a line. */
function chartSection(rounds: readonly RoundReport[]): string {
  const points = rounds.flatMap(({ round, claimedAccuracy, ok }) =>
    claimedAccuracy === null || !Number.isFinite(claimedAccuracy)
      ? []
      : [{ round, accuracy: Math.min(1, Math.max(0, claimedAccuracy)), ok }],
  );
  if (points.length < 2) return '';
  const [width, height, left, bottom] = [640, 220, 44, 28];
  const first = points[0]!.round;
  const span = Math.max(1, points.at(-1)!.round - first);
  const x = (round: number) => left + ((round - first) / span) * (width - left - 16);
  const y = (accuracy: number) => 10 + (1 - accuracy) * (height - bottom - 10);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<line class="grid" x1="${left}" x2="${width - 16}" y1="${y(value)}" y2="${y(value)}"/><text x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(2)}</text>`,
  );
  const every = Math.ceil(points.length / 12);
  const labels = points.map((point, i) =>
    i % every === 0 ? `<text x="${x(point.round)}" y="${height - 8}" text-anchor="middle">${point.round}</text>` : '',
  );
  const path = points.map((point) => `${x(point.round).toFixed(1)},${y(point.accuracy).toFixed(1)}`).join(' ');
  const dots = points.map(
    (point) =>
      `<circle class="${point.ok ? 'ok' : 'bad'}" cx="${x(point.round).toFixed(1)}" cy="${y(point.accuracy).toFixed(1)}" r="4"><title>round ${point.round}: ${point.accuracy.toFixed(4)}</title></circle>`,
  );
  const svg = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Claimed accuracy by round">${grid.join('')}${labels.join('')}<polyline points="${path}"/>${dots.join('')}</svg>`;
  return section('Claimed accuracy by round', svg);
}

/** Mean weight that mixing and trimming left each participant. */
function weightSection(rounds: readonly RoundReport[]): string {
  const weights = new Map<number, { readonly participant: string; readonly all: number[] }>();
  for (const { index, participant, weight } of rounds.flatMap((round) => round.weights ?? [])) {
    const known = weights.get(index) ?? { participant, all: [] };
    known.all.push(weight);
    weights.set(index, known);
  }
  if (weights.size === 0) return '';
  const rows = [...weights]
    .map(([index, { participant, all }]) => ({
      index,
      participant,
      rounds: all.length,
      mean: all.reduce((a, b) => a + b, 0) / all.length,
    }))
    .sort((a, b) => a.mean - b.mean || a.index - b.index)
    .map(({ index, participant, rounds: count, mean }) => {
      const width = Math.min(200, 100 * mean).toFixed(0);
      return `<tr><td>${index}</td><td>${escapeHtml(participant)}</td><td>${count}</td><td><span class="bar" style="width:${width}px"></span> ${mean.toFixed(2)}</td></tr>`;
    });
  return section(
    'Who was trimmed',
    `<div class="wide"><table><thead><tr><th scope="col">Index</th><th scope="col">Participant</th><th scope="col">Rounds</th><th scope="col">Weight left (1 = equal share)</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  );
}

function gasTable(gas: readonly GasLine[]): string {
  const rows = gas.map(
    ({ action, count, mean, max }) =>
      `<tr><td>${escapeHtml(action)}</td><td>${count}</td><td>${Math.round(mean).toLocaleString('en')}</td><td>${max.toLocaleString('en')}</td></tr>`,
  );
  return `<table><thead><tr><th scope="col">Action</th><th scope="col">Count</th><th scope="col">Mean</th><th scope="col">Most</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fdfdfc;--fg:#1b1d21;--soft:#6a7078;--line:#d9dce1;--ok:#14713a;--bad:#b3261e;--mild:#8a5a00;--accent:#2b5fd0}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e6e8eb;--soft:#9aa1ab;--line:#33383f;--ok:#5ccb85;--bad:#ff8a80;--mild:#e2b152;--accent:#8fb1ff}}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1rem}
h1{margin:0 0 1rem}h2{margin:2rem 0 .6rem;font-size:1.15rem}h3{margin:0 0 .3rem;font-size:1rem}
small,footer{color:var(--soft)}footer{margin-top:2rem}
.verdict{padding:.8rem 1rem;border:2px solid;border-radius:.4rem;font-weight:600;overflow-wrap:anywhere}
.ok{color:var(--ok)}.bad{color:var(--bad)}
table{border-collapse:collapse}th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}.facts td{font-family:ui-monospace,monospace;font-size:.9em}
.wide{overflow-x:auto}.wide td{font-size:.88em;overflow-wrap:normal}
.finding{border-left:4px solid var(--mild);padding:.2rem 0 .2rem .9rem;margin:0 0 1rem}.finding.breach{border-color:var(--bad)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;margin:.3rem 0}dt{color:var(--soft)}dd{margin:0;font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
svg{width:100%;max-width:44rem;height:auto}svg text{font-size:11px;fill:var(--soft)}.grid{stroke:var(--line)}
polyline{fill:none;stroke:var(--accent);stroke-width:2}circle.ok{fill:var(--ok)}circle.bad{fill:var(--bad)}
.bar{display:inline-block;height:.7em;background:var(--accent);border-radius:2px}
`;

import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  type AuditReport,
  auditExitCode,
  auditReportSchema,
  type ReportFinding,
} from '../../auditor/report/auditReport.ts';
import { escapeHtml, htmlReport } from '../../auditor/report/htmlReport.ts';
import { roundLine, tableReport } from '../../auditor/report/tableReport.ts';

import { FINDING_KINDS } from '../../protocol/dispute/finding.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { bytesOf } from '../../protocol/encoding/vectors.ts';
import { parseRule } from '../../protocol/index.ts';
import { auditWorld, buildWorld } from './fixtures/federation.ts';

const NASTY = `<script>alert("1")</script>&'\u001b[31m\u202e`;

describe('the reports of an audit', () => {
  let good: AuditReport;
  let bad: AuditReport;

  before(async () => {
    good = await auditWorld(buildWorld({ rule: parseRule('trimmed-mean', 2), rounds: 3 }));
    const world = buildWorld({ rule: parseRule('trimmed-mean', 2), rounds: 3 });
    world.payloads.delete(payloadCid(bytesOf(world.models[2]!)));
    const report = await auditWorld(world);
    const finding: ReportFinding = {
      ...report.findings[0]!,
      message: NASTY,
      expected: NASTY,
      received: NASTY,
      divergence: { round: 2, chunk: 3, coordinate: 100, expected: -5, published: 6 },
      proof: 'proofs/badCoordinate-round-2.proof.json',
    };
    bad = {
      ...report,
      source: NASTY,
      findings: [finding],
      rounds: report.rounds.map((round) =>
        round.round === 2 ? { ...round, notes: [NASTY], findings: [finding] } : round,
      ),
    };
  });

  it('the table has a line for every round and one verdict', () => {
    const lines = tableReport(good).trimEnd().split('\n');
    expect(lines.length).to.equal(1 + 3 + 2);
    expect(lines[1]).to.match(/^ +1 +challenge +7 +\d+ (k?B|MB) +0x[0-9a-f]{10}\.\.[0-9a-f]{6} +0\.5100 +ok +\d/);
    expect(lines.at(-1)).to.match(/^AUDIT OK: 3 published rounds of 0xfefe/);
    expect(auditExitCode(good)).to.equal(0);
    expect(roundLine(good.rounds[0]!)).to.equal(lines[1]);
  });

  it('the table names a finding with expected, received and place, and cannot be steered by its text', () => {
    const table = tableReport(bad);
    expect(table).to.contain('FINDING  round 2  payloadUnavailable  aggregator 0xa1');
    expect(table).to.contain('First divergence: chunk 3, coordinate 100: expected -5, published 6');
    expect(table).to.contain('Proof: proofs/badCoordinate-round-2.proof.json (assay dispute submits it)');
    expect(table).to.contain('AUDIT FAILED: 1 finding in 3 published rounds');
    expect(table).to.contain('1 FINDING');
    expect(table).to.not.contain('\u001b').and.to.not.contain('\u202e');
    expect(auditExitCode(bad)).to.equal(1);
  });

  it('says where a federation is audited only', () => {
    const only = { ...good, parameters: { ...good.parameters, enforced: false } };
    expect(tableReport(only)).to.contain('Audit only: the contract judges no proof');
    expect(htmlReport(only)).to.contain('audit only: the contract does not judge this rule');
    expect(tableReport(good) + htmlReport(good)).to.not.match(/audit only/i);
  });

  it('misconduct that no result depends on is told aside and does not fail the audit', () => {
    const aside = { ...bad.findings[0]!, severity: 'misconduct' as const, message: 'left out' };
    const table = tableReport({ ...good, findings: [aside] });
    expect(table).to.contain('AUDIT OK').and.to.contain('1 case of misconduct');
  });

  it('the page escapes everything that others wrote and loads nothing', () => {
    const page = htmlReport(bad, {
      title: NASTY,
      gas: [{ action: NASTY, count: 1, mean: 2.4, max: 3 }],
    });
    expect(page).to.not.contain('<script');
    expect(page.split(escapeHtml('<script>alert("1")</script>')).length - 1).to.be.greaterThan(6);
    expect(page).to.not.match(/(src|href)=|url\(|@import|<link|<iframe|<img|https?:/);
    expect(page).to.contain("default-src 'none'").and.to.contain('prefers-color-scheme:dark');
    expect(page).to.contain('chunk 3, coordinate 100: expected -5, published 6');
  });

  it('the page shows rounds, accuracy claims, trimming and gas', () => {
    const page = htmlReport(good, { gas: [{ action: 'commit', count: 70, mean: 51_234.4, max: 60_000 }] });
    expect(page).to.contain('<polyline points="').and.to.contain('round 3: 0.5300');
    expect(page).to.contain('Who was trimmed').and.to.contain('51,234').and.to.contain('60,000');
    for (const { modelRoot } of good.rounds) expect(page).to.contain(modelRoot);
    expect(page.match(/<tr><td>\d<\/td><td class="ok">ok<\/td><td>challenge/g)?.length).to.equal(3);
  });

  it('the documented example fits the schema, and every kind of finding and every field is documented', () => {
    const page = readFileSync(new URL('../../docs/spec/report.md', import.meta.url), 'utf8');
    const [, example] = page.match(/^```json report=example\n([\s\S]*?)^```$/m)!;
    auditReportSchema.parse(JSON.parse(example!));
    const rows = page.match(/^\| `.*$/gm)!.join('\n');
    for (const name of [...FINDING_KINDS, ...Object.keys(good), ...Object.keys(good.rounds[0]!)]) {
      expect(rows, name).to.contain(`\`${name}\``);
    }
  });
});

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UNAVAILABLE } from '../test/suites.ts';

/**
 * `npm run check:static`: Slither over contracts/. A finding is repaired or argued: docs/static-analysis.md has a row for
 * each one that stands, and says why; a finding without a row fails, and so does a row whose finding is gone. Detectors
 * that are not asked are named there too, with the reason.
 */
export interface Finding {
  /** Slither's name of the detector. */
  readonly check: string;
  /** Where: `Contract.function`, `Contract.variable` or the file. Lines are left out, they move. */
  readonly where: string;
  readonly text: string;
}

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Code for tests only, which no federation runs. */
const TEST_CODE = /^mocks\//;

/** One line per disagreement between what Slither finds and what the document argues. */
export function findUnargued(findings: readonly Finding[], document: string): string[] {
  const argued = new Set(
    [...document.matchAll(/^\| `([\w-]+)` \| `([^`]+)` \|/gm)].map(([, check, where]) => `${check} ${where}`),
  );
  const found = new Map(findings.map((finding) => [`${finding.check} ${finding.where}`, finding.text]));
  return [
    ...[...found].filter(([key]) => !argued.has(key)).map(([key, text]) => `new: ${key}\n    ${text}`),
    ...[...argued].filter((key) => !found.has(key)).map((key) => `gone: ${key} (take its row out of the document)`),
  ].sort();
}

/** The detectors that the document says are not asked. */
export function excludedDetectors(document: string): string[] {
  return [...document.matchAll(/^\| `([\w-]+)` \| not asked \|/gm)].map(([, check = '']) => check);
}

interface SlitherElement {
  readonly type: string;
  readonly name: string;
  readonly type_specific_fields?: { readonly parent?: SlitherElement };
}

interface SlitherReport {
  readonly success: boolean;
  readonly error: string | null;
  readonly results: {
    readonly detectors?: ReadonlyArray<{ check: string; description: string; elements: readonly SlitherElement[] }>;
  };
}

/** What Slither's JSON report says, by place. */
export function readFindings(report: SlitherReport): Finding[] {
  return (report.results.detectors ?? []).map(({ check, description, elements }) => {
    const [element] = elements;
    return { check, where: element === undefined ? 'everywhere' : nameOf(element), text: description.trim() };
  });
}

function nameOf(element: SlitherElement): string {
  const parent = element.type_specific_fields?.parent;
  const within = parent !== undefined && (parent.type === 'contract' || parent.type === 'function');
  return within ? `${nameOf(parent)}.${element.name}` : element.name;
}

function analyse(slither: string, excluded: readonly string[]): SlitherReport {
  const folder = mkdtempSync(join(tmpdir(), 'assay-slither-'));
  try {
    const sources = readdirSync(join(ROOT, 'contracts'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.sol') && !TEST_CODE.test(file))
      .sort()
      .map((file) => [`contracts/${file}`, { content: readFileSync(join(ROOT, 'contracts', file), 'utf8') }]);
    const input = { language: 'Solidity', sources: Object.fromEntries(sources), settings: { evmVersion: 'cancun' } };
    writeFileSync(join(folder, 'input.json'), JSON.stringify(input));
    const report = join(folder, 'report.json');
    const { stderr } = spawnSync(
      slither,
      [
        ...[join(folder, 'input.json'), '--compile-force-framework', 'solc-json'],
        ...['--solc', join(ROOT, 'scripts', 'checks', 'slither', 'solc.mjs')],
        ...['--filter-paths', 'node_modules', '--json', report, '--fail-none'],
        ...(excluded.length > 0 ? ['--exclude', excluded.join(',')] : []),
      ],
      {
        cwd: ROOT,
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter) },
      },
    );
    if (!existsSync(report)) return { success: false, error: stderr, results: {} };
    return JSON.parse(readFileSync(report, 'utf8')) as SlitherReport;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The analyser: the one named, or one that `.ci/slither.sh` installs. */
function slitherBinary(): string {
  if (process.env.ASSAY_SLITHER_BIN !== undefined) return process.env.ASSAY_SLITHER_BIN;
  const { status, stdout, stderr } = spawnSync(join(ROOT, '.ci', 'slither.sh'), { encoding: 'utf8', timeout: 600_000 });
  if (status === 0) return stdout.trim();
  console.error(`Slither cannot be had here: ${stderr.trim()}`);
  process.exit(UNAVAILABLE);
}

if (import.meta.main) {
  const page = join(ROOT, 'docs', 'static-analysis.md');
  const document = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const report = analyse(slitherBinary(), excludedDetectors(document));
  if (!report.success) {
    console.error(`Slither did not finish\n${report.error ?? ''}`);
    process.exitCode = 1;
  } else {
    const findings = readFindings(report);
    const gaps = findUnargued(findings, document);
    for (const gap of gaps) console.error(gap);
    console.log(
      gaps.length > 0
        ? `${gaps.length} differences`
        : `${findings.length} findings, each argued in docs/static-analysis.md`,
    );
    process.exitCode = gaps.length > 0 ? 1 : 0;
  }
}

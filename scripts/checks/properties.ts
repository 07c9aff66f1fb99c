import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A guarantee without a test is a hope. Each guarantee has an id (`C-01`): where it is enforced (a comment in
 * contracts/), where it is promised (docs/properties.md) and where it is tried (a test). This check holds the three to
 * each other.
 */
export interface Texts {
  /** File name to content. */
  readonly contracts: Readonly<Record<string, string>>;
  readonly tests: Readonly<Record<string, string>>;
  /** docs/properties.md */
  readonly properties: string;
}

const ID = /(?<![\w-])[A-Z]-\d{2,3}(?![\w-])/g;

/** One line per gap; none means that guards, promises and tests agree. */
export function findGaps({ contracts, tests, properties }: Texts): string[] {
  const enforced = idsByFile(contracts);
  const tried = idsByFile(tests);
  const promised = new Set(properties.match(ID));
  const gaps: string[] = [];
  for (const [id, file] of enforced) {
    if (!promised.has(id)) gaps.push(`${id} guards in ${file} but docs/properties.md does not promise it`);
    if (!tried.has(id)) gaps.push(`${id} guards in ${file} but no test names it`);
  }
  for (const id of promised) {
    if (id.startsWith('C-') && !enforced.has(id))
      gaps.push(`${id} is promised in docs/properties.md but no contract names it`);
    if (!tried.has(id) && !enforced.has(id)) gaps.push(`${id} is promised in docs/properties.md but no test names it`);
  }
  for (const [id, file] of tried) {
    if (!promised.has(id) && !enforced.has(id)) gaps.push(`${id} is tried in ${file} but promised nowhere`);
  }
  for (const [file, text] of Object.entries(contracts)) {
    for (const [index, line] of text.split('\n').entries()) {
      if (/\/\/ INVARIANT\b/.test(line) && !line.match(ID))
        gaps.push(`${file}:${index + 1}: an INVARIANT without an id`);
    }
  }
  return gaps.sort();
}

function idsByFile(files: Readonly<Record<string, string>>): Map<string, string> {
  const ids = new Map<string, string>();
  for (const [file, text] of Object.entries(files)) for (const id of text.match(ID) ?? []) ids.set(id, file);
  return ids;
}

function readTree(root: string, folder: string, ending: RegExp, skip = /^$/): Record<string, string> {
  const files = existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    : [];
  const wanted = files.map((file) => `${folder}/${file}`).filter((file) => ending.test(file) && !skip.test(file));
  return Object.fromEntries(wanted.sort().map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

if (import.meta.main) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const document = join(root, 'docs', 'properties.md');
  const texts = {
    contracts: readTree(root, 'contracts', /\.sol$/),
    tests: readTree(root, 'test', /\.(ts|sol)$/, /^test\/setup\//), // the test of this check makes ids up
    properties: existsSync(document) ? readFileSync(document, 'utf8') : '',
  };
  const gaps = findGaps(texts);
  for (const gap of gaps) console.error(gap);
  const count = new Set(texts.properties.match(ID)).size;
  if (count === 0) console.error('docs/properties.md promises nothing: expected ids such as C-01');
  console.log(gaps.length > 0 ? `${gaps.length} gaps` : `${count} guarantees: guarded, promised and tried`);
  process.exitCode = gaps.length > 0 || count === 0 ? 1 : 0;
}

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Whether the documentation speaks of what is there: every `npm run X`, every `assay X --option` in a fenced block, and
 * every relative link. (That the commands do what the text says is for the tests that run them.)
 */
export interface Project {
  /** Names of the npm scripts. */
  readonly scripts: ReadonlySet<string>;
  /**
   * Help text by command of `assay`, such as `audit` or `keys create`; the empty name is `assay --help`. Asked lazily.
   */
  help(command: string): string | undefined;
  exists(path: string): boolean;
}

/** One line per statement that is not true of the project, `file:line: what`. */
export function findFalseStatements(file: string, text: string, project: Project): string[] {
  const wrong: string[] = [];
  let inBlock = false;
  let command = '';
  for (const [index, line] of text.split('\n').entries()) {
    const report = (what: string | undefined) => what && wrong.push(`${file}:${index + 1}: ${what}`);
    if (/^\s*(```|~~~)/.test(line)) {
      inBlock = !inBlock;
      command = '';
    } else if (inBlock) {
      // A command may go on over lines that end in a backslash.
      command += line.replace(/^\s*\$ /, '').replace(/\\\s*$/, ' ');
      if (/\\\s*$/.test(line)) continue;
      report(judgeCommand(command.replace(/((^|\s)#|[|;&>]).*$/, '').trim(), project));
      command = '';
    } else {
      for (const [, target = ''] of line.matchAll(/\]\(([^)\s]+)\)/g)) report(judgeLink(file, target, project));
    }
  }
  return wrong;
}

function judgeCommand(line: string, project: Project): string | undefined {
  const script = line.match(/\bnpm run (?:-s )?([\w:-]+)/)?.[1];
  if (script !== undefined && !project.scripts.has(script)) return `there is no npm script '${script}'`;
  const words = line.match(/\bnpx assay(?: (.*))?$/)?.[1]?.split(/\s+/) ?? demoWords(line);
  if (words === undefined) return undefined;
  let name = isName(words[0]) ? words[0] : '';
  let help = project.help(name);
  // A command of commands, such as `assay keys create`: its own help says so.
  if (name !== '' && help?.includes('[command]') && isName(words[1])) {
    name = `${name} ${words[1]}`;
    help = project.help(name);
    if (help?.includes('[command]')) help = undefined; // the help of `keys` again: it has no such command
  }
  if (help === undefined) return `there is no command 'assay ${name}'`;
  const unknown = optionsIn(words).find((option) => !new RegExp(`(^|[\\s,])${option}(?![\\w-])`, 'm').test(help));
  return unknown === undefined ? undefined : `'assay ${name}' has no option ${unknown}`;
}

function isName(word: string | undefined): word is string {
  return /^[a-z]/.test(word ?? '');
}

/** `npm run demo -- --x` is `assay demo --x`; so for `npm run assay -- X`. */
function demoWords(line: string): string[] | undefined {
  const [, script, rest = ''] = line.match(/\bnpm run (?:-s )?(demo|assay)(?: -- (.*))?$/) ?? [];
  if (script === undefined) return undefined;
  return [...(script === 'demo' ? ['demo'] : []), ...rest.split(/\s+/)];
}

function optionsIn(words: readonly string[]): string[] {
  return words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''));
}

function judgeLink(file: string, target: string, project: Project): string | undefined {
  if (/^[a-z]+:|^#/.test(target)) return undefined;
  const path = join(dirname(file), decodeURIComponent(target.replace(/#.*/, '')));
  return project.exists(path) ? undefined : `links to ${target}, which does not exist`;
}

function thisProject(root: string): Project {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const known = new Map<string, string | undefined>();
  const ask = (command: string) => {
    const words = [...command.split(' ').filter((word) => word !== ''), '--help'];
    try {
      return execFileSync(process.execPath, [join(root, 'scripts', 'assay.ts'), ...words], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch {
      return undefined;
    }
  };
  return {
    scripts: new Set(Object.keys(scripts)),
    exists: (path) => existsSync(join(root, path)),
    help: (command) => {
      if (!known.has(command)) known.set(command, ask(command));
      return known.get(command);
    },
  };
}

if (import.meta.main) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const project = thisProject(root);
  const docs = existsSync(join(root, 'docs'))
    ? readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    : [];
  const pages = docs.filter((file) => file.endsWith('.md')).sort();
  const files = ['README.md', ...pages.map((file) => `docs/${file}`)].filter((file) => existsSync(join(root, file)));
  const wrong = files.flatMap((file) => findFalseStatements(file, readFileSync(join(root, file), 'utf8'), project));
  if (!files.includes('README.md')) wrong.push('README.md is missing');
  for (const line of wrong) console.error(line);
  console.log(
    wrong.length > 0 ? `${wrong.length} statements are not true` : `${files.length} documents agree with the project`,
  );
  process.exitCode = wrong.length > 0 ? 1 : 0;
}

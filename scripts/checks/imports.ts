import { stripTypeScriptTypes } from 'node:module';
import { type Node, parse } from 'acorn';

/**
 * What a TypeScript file imports and which names it uses, read from its syntax tree.
 *
 * TypeScript 7 has no JavaScript API, so tools built on it see nothing. This project is written in erasable syntax:
 * Node's own type stripping replaces types by spaces and leaves plain JavaScript at the same positions, which acorn
 * parses; what was blanked out is then searched for imports of types.
 */
export interface FileFacts {
  readonly imports: readonly Import[];
  /** Global or member expressions such as `Date.now`, `Math.random`, `process`, with their lines. */
  readonly uses: ReadonlyArray<{ readonly name: string; readonly line: number }>;
}

/** One import or re-export. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly kind: 'value' | 'type' | 'dynamic' | 'exportAll';
}

/** Reads the facts of one file. @throws when the file is not erasable TypeScript */
export function readFacts(source: string): FileFacts {
  const code = stripTypeScriptTypes(source, { mode: 'strip' });
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true, allowHashBang: true });
  const imports: Import[] = [];
  const uses: Array<{ name: string; line: number }> = [];
  visit(tree, (node) => {
    const line = node.loc?.start.line ?? 0;
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
        if (literal(node.source)) imports.push({ specifier: literal(node.source)!, line, kind: 'value' });
        break;
      case 'ExportAllDeclaration':
        imports.push({ specifier: literal(node.source)!, line, kind: 'exportAll' });
        break;
      case 'ImportExpression':
        // A computed import cannot be judged; it is reported under a name that no rule allows.
        imports.push({ specifier: literal(node.source) ?? '(computed)', line, kind: 'dynamic' });
        break;
      case 'MemberExpression':
        if (name(node.object) && name(node.property))
          uses.push({ name: `${name(node.object)}.${name(node.property)}`, line });
        break;
      case 'Identifier':
        uses.push({ name: name(node)!, line });
        break;
    }
  });
  for (const { text, line } of typeImports(source, code)) imports.push({ specifier: text, line, kind: 'type' });
  return { imports, uses };
}

/** Imports that stripping removed: `import type`, `export type ... from`, `import('...')` as a type. */
function typeImports(source: string, code: string): Array<{ text: string; line: number }> {
  let removed = '';
  for (let i = 0; i < source.length; i++) {
    const character = source[i]!;
    removed += character === code[i] && character !== '\n' ? ' ' : character;
  }
  const pattern = /\bfrom\s*(['"])(.+?)\1|\bimport\s*\(\s*(['"])(.+?)\3/g;
  return [...removed.matchAll(pattern)].map((match) => ({
    text: (match[2] ?? match[4])!,
    line: removed.slice(0, match.index).split('\n').length,
  }));
}

type AnyNode = Node & Record<string, unknown>;

function visit(node: Node, enter: (node: AnyNode) => void): void {
  enter(node as AnyNode);
  for (const [key, value] of Object.entries(node)) {
    // `{ process: 1 }` and `x.process` name members, not globals.
    const isMemberName =
      (key === 'property' && node.type === 'MemberExpression') || (key === 'key' && node.type !== 'VariableDeclarator');
    if (isMemberName && !(node as AnyNode).computed) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child && typeof child === 'object' && 'type' in child) visit(child as Node, enter);
    }
  }
}

function name(node: unknown): string | undefined {
  const { type, name: text } = (node ?? {}) as { type?: string; name?: string };
  return type === 'Identifier' ? text : undefined;
}

function literal(node: unknown): string | undefined {
  const value = (node as { value?: unknown } | null)?.value;
  return typeof value === 'string' ? value : undefined;
}

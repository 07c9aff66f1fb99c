/**
 * The commands of a documentation page. A comment before a fenced block says what the block is:
 *
 *     <!-- run; prints: TEXT -->                          ends by itself, with status 0
 *     <!-- run: after NAME, NAME -->                      the same, once those terminals are done
 *     <!-- terminal: NAME; ready: TEXT; done: TEXT -->    goes on; what it prints says how far it is
 */
export interface PageBlock {
  readonly kind: 'run' | 'terminal';
  /** Of a terminal. */
  readonly name: string;
  readonly after: readonly string[];
  /** Text in the block's output, by the word of the comment. */
  readonly expected: Readonly<Record<string, string>>;
  readonly script: string;
  readonly line: number;
}

const BLOCK = /^<!-- (run|terminal)\b(.*?)-->\n```sh\n([\s\S]*?)\n```$/gm;

export function readBlocks(page: string): PageBlock[] {
  return [...page.matchAll(BLOCK)].map((match) => {
    const [, kind, rest = '', script = ''] = match;
    const [head = '', ...pairs] = rest.split(';').map((part) => part.trim());
    const named = head.replace(/^:/, '').trim();
    const expected = Object.fromEntries(pairs.map((pair) => pair.split(': ', 2) as [string, string]));
    return {
      kind: kind as PageBlock['kind'],
      name: kind === 'terminal' ? named : '',
      after: kind === 'run' && named.startsWith('after ') ? named.slice(6).split(/,\s*/) : [],
      expected,
      script,
      line: page.slice(0, match.index).split('\n').length,
    };
  });
}

/** All fenced shell blocks, marked or not. */
export function countShellBlocks(page: string): number {
  return [...page.matchAll(/^```sh$/gm)].length;
}

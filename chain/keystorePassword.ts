import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { AssayError } from '../protocol/errors.ts';

/**
 * Where a keystore's password may come from, in this order: a file that was named, an environment variable, a hidden
 * prompt. Never a command-line argument: every user of the machine can list those.
 */
export interface PasswordSources {
  /** A file whose first line is the password. Named explicitly, so it must exist. */
  readonly file?: string | undefined;
  /** The environment variable to look at, `ASSAY_PASSWORD` by default. */
  readonly envName?: string;
  /** What to ask on the terminal; `false` to never ask. */
  readonly prompt?: string | false;
  /** Ask twice and compare: for a new keystore. */
  readonly confirm?: boolean;
  /** The terminal; the process's own by default. The question goes to stderr, so that stdout stays data. */
  readonly input?: NodeJS.ReadableStream & { isTTY?: boolean };
  readonly output?: NodeJS.WritableStream;
}

/**
 * The password for a keystore, from the first source that has one.
 *
 * @throws AssayError PASSWORD_FILE (unreadable), PASSWORD_EMPTY, PASSWORD_MISSING (no source, no terminal to ask on),
 * PASSWORD_MISMATCH (the two prompts differ), PASSWORD_CANCELLED (Ctrl-C or end of input)
 */
export async function readPassword(sources: PasswordSources = {}): Promise<string> {
  const { file, envName = 'ASSAY_PASSWORD', prompt = 'Keystore password: ', confirm = false } = sources;
  const input = sources.input ?? process.stdin;
  const output = sources.output ?? process.stderr;
  if (file !== undefined) return fromFile(file);
  const fromEnvironment = process.env[envName];
  if (fromEnvironment !== undefined) return notEmpty(fromEnvironment, `the variable ${envName}`);
  if (prompt === false || input.isTTY !== true) {
    throw new AssayError('PASSWORD_MISSING', {
      summary: 'A password is needed to open the keystore and there is no terminal to ask for it',
      expected: `--password-file FILE, the variable ${envName}, or a terminal`,
      received: 'none of them',
      fix: 'put the password into a file that only you can read (chmod 600) and name it with --password-file',
    });
  }
  const password = notEmpty(await askHidden(prompt, input, output), 'the prompt');
  if (confirm && (await askHidden('Once more: ', input, output)) !== password) {
    throw new AssayError('PASSWORD_MISMATCH', { summary: 'The two passwords differ', fix: 'start again' });
  }
  return password;
}

async function fromFile(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AssayError('PASSWORD_FILE', {
      summary: `The password file ${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      expected: 'a text file whose first line is the password',
      fix: 'check the path given with --password-file, and who may read it',
      cause,
    });
  }
  // Editors end files with a line break, and some begin them with a byte order mark; spaces may belong to the password.
  const firstLine = text.replace(/^\uFEFF/, '').split(/\r?\n/, 1)[0] ?? '';
  return notEmpty(firstLine, `the first line of ${file}`);
}

function notEmpty(password: string, source: string): string {
  if (password !== '') return password;
  throw new AssayError('PASSWORD_EMPTY', {
    summary: `The password from ${source} is empty`,
    expected: 'at least one character',
    received: 'none',
  });
}

/** Reads one line with the terminal's echo off: readline edits the line but writes what it would show into nothing. */
function askHidden(question: string, input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  output.write(question);
  return new Promise<string>((resolve, reject) => {
    const cancelled = () => reject(new AssayError('PASSWORD_CANCELLED', { summary: 'No password was given' }));
    lines.once('line', resolve);
    lines.once('SIGINT', cancelled);
    lines.once('close', cancelled);
  }).finally(() => {
    output.write('\n');
    lines.close();
  });
}

/** What a command says when it fails: what the user can mend in one message, a fault of ours with its stack. */
import { AssayError } from '../../protocol/errors.ts';

/** What files and folders of the user's own refuse, with what to do about it. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'choose another place, or ask who owns this one for permission',
  EPERM: 'choose another place, or ask who owns this one for permission',
  EROFS: 'choose a place that can be written to',
  ENOSPC: 'make room on that disk, or choose another',
  EDQUOT: 'make room on that disk, or choose another',
  ENOENT: 'check the path',
  ENOTDIR: 'check the path: a part of it is a file',
  EEXIST: 'choose another path, or move away what is there',
  EISDIR: 'name a file, not a folder',
  ENAMETOOLONG: 'choose a shorter path',
};

export function failureText(error: unknown): string {
  if (error instanceof AssayError) return `error: ${error.message}`;
  if (isFileError(error)) {
    const { message } = new AssayError('FILE', {
      summary: `${error.path} cannot be used`,
      expected: 'a path that this user may read and write as the command needs it',
      received: error.message,
      fix: ADVICE[error.code]!,
    });
    return `error: ${message}`;
  }
  if (isFolderForFile(error)) {
    const { message } = new AssayError('FILE', {
      summary: 'a folder cannot be read as a file',
      expected: 'the path of a file',
      received: error.message,
      fix: ADVICE.EISDIR!,
    });
    return `error: ${message}`;
  }
  return `error: this is a fault of Assay, please report it\n${error instanceof Error ? error.stack : String(error)}`;
}

function isFileError(error: unknown): error is Error & { code: string; path: string } {
  if (!(error instanceof Error)) return false;
  const { code, path } = error as NodeJS.ErrnoException;
  return code !== undefined && code in ADVICE && path !== undefined;
}

/** Folders can be opened; reading them fails, and that error names no path. */
function isFolderForFile(error: unknown): error is Error {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EISDIR';
}

/**
 * The old file or the new one, never a mixture: temporary name in the same folder, fsync, rename. The auditor's own,
 * since it shares nothing but the protocol with the nodes it audits.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AssayError } from '../protocol/errors.ts';

/** @throws AssayError `DISK_FULL` or `FILE_WRITE`; the old file is untouched then. */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else for await (const part of content) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (cause instanceof AssayError) throw cause;
    const { code, message } = cause as { code?: string; message?: string };
    throw new AssayError(code === 'ENOSPC' ? 'DISK_FULL' : 'FILE_WRITE', {
      summary: `could not write ${path}`,
      received: message ?? String(cause),
      fix: code === 'ENOSPC' ? 'free some space and try again' : 'check the folder and its permissions',
      cause,
    });
  }
}

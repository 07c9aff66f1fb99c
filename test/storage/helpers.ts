import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AssayError } from '../../protocol/errors.ts';

export const MIB = 1 << 20;

/** A folder of its own for each test of the suite, removed afterwards. */
export function useTemporaryFolder(): () => string {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'assay-storage-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

/** The AssayError that `work` rejects with; fails the test when it succeeds or throws anything else. */
export async function errorOf(work: Promise<unknown>, code?: string): Promise<AssayError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error, error === undefined ? 'nothing was thrown' : String((error as Error).stack)).to.be.instanceOf(
    AssayError,
  );
  if (code !== undefined) expect((error as AssayError).code, (error as AssayError).message).to.equal(code);
  return error as AssayError;
}

/** Bytes that look random and are the same in every run: SHA-256 in counter mode. */
export function testBytes(length: number, seed = 'bytes'): Uint8Array {
  const bytes = new Uint8Array(length);
  // One digest for each KiB is enough variety for content addressing, and quick.
  for (let offset = 0; offset < length; offset += 1024) {
    const digest = createHash('sha256').update(`${seed}/${offset}`).digest();
    for (let i = offset; i < Math.min(offset + 1024, length); i += 32) bytes.set(digest.subarray(0, length - i), i);
  }
  return bytes;
}

export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const piece of pieces) list.push(piece);
  return Uint8Array.from(Buffer.concat(list));
}

/** Whether two byte strings are equal; a plain chai comparison of MiBs would print them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

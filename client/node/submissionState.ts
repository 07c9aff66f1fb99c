/**
 * What a participant must not forget between storing an update and revealing it. Written before the commit is sent, so
 * that a node killed at any moment reveals exactly what it committed to and never commits twice.
 */
import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { bigintText, type StateFolder } from '../../storage/stateFolder.ts';

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>;

const submissionSchema = z.strictObject({
  round: z.int().positive(),
  /** The contract's number of this opening of the round: a reopened round is another one. */
  opening: z.int().positive(),
  baseModelRoot: hex32,
  root: hex32,
  normSq: bigintText,
  cid: z.string(),
  salt: hex32,
  /** Files with the rounding error before and after this update; null before the first. */
  residualBefore: z.string().nullable(),
  residualAfter: z.string(),
  /** Files with what the participant keeps, before and after this update; null for nothing. */
  memoryBefore: z.string().nullable().default(null),
  memoryAfter: z.string().nullable().default(null),
  stage: z.enum(['stored', 'committed', 'revealed']),
});

export type SubmissionState = z.output<typeof submissionSchema>;

const FILE = 'submission.json';

export function readSubmission(state: StateFolder): Promise<SubmissionState | undefined> {
  return state.readJson(FILE, submissionSchema);
}

/** Replaces the state and removes the files it no longer names. */
export async function writeSubmission(state: StateFolder, submission: SubmissionState): Promise<void> {
  const before = await readSubmission(state);
  await state.writeJson(FILE, submissionSchema, submission, { mode: 0o600 });
  const kept = new Set(filesOf(submission));
  for (const name of before === undefined ? [] : filesOf(before)) {
    if (typeof name === 'string' && !kept.has(name)) await rm(state.file(name), { force: true });
  }
}

function filesOf({ residualBefore, residualAfter, memoryBefore, memoryAfter }: SubmissionState): (string | null)[] {
  return [residualBefore, residualAfter, memoryBefore, memoryAfter];
}

/** Files that an update starts from, null for none. */
export interface KeptFiles {
  readonly residual: string | null;
  readonly memory: string | null;
}

/**
 * The rounding error and the memory that the update of `round` starts from: after an update that was revealed, else those
 * from before it. An update of this round or a later one never counted: its round was opened again.
 */
export function nextKept(submission: SubmissionState | undefined, round: number): KeptFiles {
  if (submission === undefined) return { residual: null, memory: null };
  const { residualBefore, residualAfter, memoryBefore, memoryAfter } = submission;
  const counted = submission.stage === 'revealed' && submission.round < round;
  return counted
    ? { residual: residualAfter, memory: memoryAfter }
    : { residual: residualBefore, memory: memoryBefore };
}

export async function writeResidual(state: StateFolder, name: string, residual: Float32Array): Promise<void> {
  await writeFileAtomic(state.file(name), new Uint8Array(residual.buffer, residual.byteOffset, residual.byteLength));
}

/** @throws AssayError `STATE_CORRUPT` when the file has not d coordinates. */
export async function readResidual(state: StateFolder, name: string, dimension: number): Promise<Float32Array> {
  const bytes = await readFile(state.file(name));
  if (bytes.length !== 4 * dimension) {
    throw new AssayError('STATE_CORRUPT', {
      summary: `the saved rounding error ${state.file(name)} has the wrong length`,
      expected: `${4 * dimension} bytes`,
      received: `${bytes.length} bytes`,
      fix: 'remove submission.json and this file; the next round starts without error feedback',
    });
  }
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

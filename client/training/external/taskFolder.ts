import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError } from '../../../protocol/errors.ts';
import { writeFileAtomic } from '../../../storage/atomicFile.ts';
import type { AttachmentLimit } from './frames.ts';
import type { Answer, Task } from './task.ts';
import { type ProcessOptions, TrainerProcess } from './trainerProcess.ts';

/** A result's numbers fit a page; its tensors are attachments. */
const MAX_JSON_BYTES = 2 ** 20;
const ANSWERS = ['result', 'result-memory'];

export interface FolderRun extends Omit<ProcessOptions, 'args' | 'stdout'> {
  /** Where the task's folder is made; it is gone afterwards. */
  readonly within: string;
  readonly limit: AttachmentLimit;
  /** Called with the process as soon as there is one, so that it can be ended from outside. */
  readonly onProcess: (process: TrainerProcess) => void;
}

/**
 * One process for one task: `CMD FOLDER`. The folder holds `task.json` and the attachments as `NAME.safetensors`; the
 * trainer puts its own beside them and writes `result.json` last. A folder is used for one task only, and readable by
 * this user only.
 *
 * @throws AssayError TRAINER_START, TRAINER_FAILED, TRAINER_TIMEOUT, TRAINER_RESULT
 */
export async function runInFolder(task: Task, run: FolderRun): Promise<Answer> {
  const folder = await mkdtemp(join(run.within, 'task-'));
  try {
    for (const [name, bytes] of task.attachments) await writeFileAtomic(join(folder, `${name}.safetensors`), bytes);
    await writeFileAtomic(join(folder, 'task.json'), `${JSON.stringify(task.header, null, 2)}\n`);
    const process = new TrainerProcess({ ...run, args: [folder], stdout: 'lines' });
    run.onProcess(process);
    process.watch();
    await process.ended;
    const result = await readPlainFile(folder, 'result.json', MAX_JSON_BYTES, run.command.name);
    if (result === undefined || (!process.succeeded && !saysWhy(result))) {
      if (!process.succeeded) throw await process.failure();
      throw refusal(run.command.name, 'wrote no result.json', 'result.json in the task folder', 'none');
    }
    const attachments = new Map<string, Uint8Array>();
    for (const name of ANSWERS) {
      const bytes = await readPlainFile(folder, `${name}.safetensors`, run.limit(name) ?? 0, run.command.name);
      if (bytes !== undefined) attachments.set(name, bytes);
    }
    return { header: parse(result, run.command.name), attachments };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a trainer that ended badly left its own words: they say more than its exit status. */
function saysWhy(result: Uint8Array): boolean {
  try {
    return typeof (JSON.parse(new TextDecoder().decode(result)) as { error?: unknown }).error === 'string';
  } catch {
    return false;
  }
}

function parse(result: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(result));
  } catch {
    const head = new TextDecoder('latin1').decode(result.subarray(0, 80));
    throw refusal(name, 'wrote a result.json that is not JSON', 'JSON in UTF-8', JSON.stringify(head));
  }
}

/**
 * A file of the folder itself. A link could lead to any file of this machine and a pipe would keep us waiting, so
 * neither is followed; undefined when there is nothing.
 */
async function readPlainFile(
  folder: string,
  file: string,
  limit: number,
  name: string,
): Promise<Uint8Array | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(join(folder, file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP')
      throw refusal(name, `left ${file} as a link`, 'a plain file inside the task folder', 'a symbolic link');
    throw refusal(name, `left a ${file} that cannot be read`, 'a plain file', code ?? String(error));
  }
  try {
    const { size } = await handle.stat();
    if (!(await handle.stat()).isFile())
      throw refusal(name, `left ${file} as no file`, 'a plain file', 'a folder, pipe or device');
    if (size > limit) throw refusal(name, `left a ${file} that is too big`, `at most ${limit} bytes`, `${size} bytes`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function refusal(name: string, what: string, expected: string, received: string): AssayError {
  return new AssayError('TRAINER_RESULT', {
    summary: `the trainer ${name} ${what}`,
    expected,
    received,
    fix: 'run `assay trainer check` with the same command; nothing was sent',
  });
}

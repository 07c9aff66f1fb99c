/** A thread of the engine (see `threads.node.ts`): computes the blocks that it is told of, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { AssayError } from '../../errors.ts';
import { loadKernels } from '../../kernels/kernelModule.ts';
import { BlockMachine, type MachineSetup } from './blockMachine.ts';
import { readRowFiles } from './readRowFiles.ts';
import type { ThreadMessage, ThreadReply, ThreadSetup } from './thread.ts';

const { memory } = workerData as ThreadSetup;
let machine: BlockMachine | undefined;
let blockChunks = 1;
let readRows:
  | ((slot: number, firstChunk: number, chunks: number, wanted: readonly boolean[] | null) => void)
  | undefined;
/** Why there is none: told to whoever asks for a block. */
let refusal: unknown;

parentPort?.on('message', (message: ThreadMessage) => {
  try {
    const value = obey(message);
    if (value !== undefined) reply({ value });
  } catch (error) {
    if (message.verb === 'analyse' || message.verb === 'combine') reply({ error: describe(error) });
    else refusal = error;
  }
});

function obey(message: ThreadMessage) {
  if (message.verb === 'open') {
    refusal = undefined;
    machine = undefined;
    const kernels = loadKernels(memory, message.region);
    const setup: MachineSetup = message.setup;
    machine = new BlockMachine(kernels, setup);
    blockChunks = setup.shape.blocks.chunks;
    readRows = (slot, firstChunk, chunks, wanted) => readRowFiles(kernels, setup, slot, firstChunk, chunks, wanted);
    return undefined;
  }
  if (refusal !== undefined) throw refusal;
  if (message.verb === 'mixBy') machine!.mixBy(message.mixing);
  if (message.verb !== 'analyse' && message.verb !== 'combine') return undefined;
  const { slot, chunks, wants } = message;
  const isAll = message.verb === 'analyse' || wants.commitments;
  readRows!(slot, wants.firstChunk, chunks, isAll ? null : machine!.rowsOf(wants.firstChunk / blockChunks));
  if (message.verb === 'analyse') return machine!.analyse(slot, chunks, message.wants);
  return machine!.combine(slot, chunks, message.wants);
}

function reply(message: ThreadReply): void {
  parentPort?.postMessage(message);
}

function describe(error: unknown): Extract<ThreadReply, { error: unknown }>['error'] {
  if (error instanceof AssayError) {
    const { cause, ...details } = error.details;
    return { code: error.code, details };
  }
  const summary = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'THREAD_FAILED', details: { summary } };
}

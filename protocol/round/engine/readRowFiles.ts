/** The rows of a block that lie in files, read in the thread that is about to compute with them. Node only. */
import { readSync } from 'node:fs';
import { UPDATE_COORDINATE_BYTES } from '../../encoding/vectors.ts';
import { AssayError } from '../../errors.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import type { MachineSetup } from './blockMachine.ts';

/**
 * Fills the slot's rows (`wanted`: only these) with the bytes of `chunks` chunks from `firstChunk` on.
 * @throws AssayError `ROUND_INPUT` when a file ends before; what reading throws
 */
export function readRowFiles(
  { arena }: Kernels,
  { shape, slots }: MachineSetup,
  slot: number,
  firstChunk: number,
  chunks: number,
  wanted: readonly boolean[] | null,
): void {
  const chunkBytes = shape.blocks.layout.chunkSize * UPDATE_COORDINATE_BYTES;
  for (const [i, file] of shape.rowFiles.entries()) {
    if (file === null || wanted?.[i] === false) continue;
    const into = arena.bytes(slots[slot]!.rows[i]!, chunks * chunkBytes);
    const from = file.byteOffset + firstChunk * chunkBytes;
    for (let done = 0; done < into.length; ) {
      const read = readSync(file.descriptor, into, done, into.length - done, from + done);
      if (read === 0) throw endsEarly(i, from + into.length, from + done);
      done += read;
    }
  }
}

function endsEarly(row: number, expected: number, received: number): AssayError {
  return new AssayError('ROUND_INPUT', {
    summary: `the file of row ${row} ends in the middle of the row`,
    expected: `at least ${expected} bytes`,
    received: `${received} bytes`,
    fix: 'give a file that holds the whole padded row, and leave it alone while the round is computed',
  });
}

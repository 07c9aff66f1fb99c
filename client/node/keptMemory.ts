/**
 * What a participant keeps from round to round, on the disk: one safetensors file, each part a tensor of one side. The
 * file is written before the submission names it, so a node killed between the two only leaves a file that nobody reads.
 */
import { readFile } from 'node:fs/promises';
import { compareBytewise, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import type { StateFolder } from '../../storage/stateFolder.ts';
import { decodeSafetensors, encodeSafetensors } from '../export/safetensors.ts';
import type { LocalMemory } from '../training/trainer.ts';

/** Whether there is anything to keep. */
export function isEmpty(memory: LocalMemory): boolean {
  return Object.keys(memory).length === 0;
}

/** Readable by its owner only: a personal model tells of the data it was trained on. */
export async function writeMemory(state: StateFolder, name: string, memory: LocalMemory): Promise<void> {
  const names = Object.keys(memory).sort(compareBytewise);
  const tensors = names.map((key) => ({ name: key, shape: [memory[key]!.length] }));
  const weights = new Float32Array(names.reduce((sum, key) => sum + memory[key]!.length, 0));
  for (const slice of tensorSlices(tensors)) weights.set(memory[slice.name]!, slice.offset);
  await writeFileAtomic(state.file(name), encodeSafetensors({ tensors, weights, metadata: {} }), { mode: 0o600 });
}

/** @throws AssayError `SAFETENSORS` for a damaged file */
export async function readMemory(state: StateFolder, name: string): Promise<LocalMemory> {
  const { tensors, weights } = decodeSafetensors(await readFile(state.file(name)));
  return Object.fromEntries(
    tensorSlices(tensors).map(({ name: key, offset, length }) => [key, weights.slice(offset, offset + length)]),
  );
}

/** Roots of the subtrees over a block's chunks, of every tree: the block is one of their nodes. */
import type { SumNode } from '../../commitment/merkleSum.ts';
import { MODEL_COORDINATE_BYTES, UPDATE_COORDINATE_BYTES } from '../../encoding/vectors.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import { HASH_BYTES, HashKernel, SUM_BYTES } from '../../kernels/sha256.ts';
import type { BlockLayout } from '../blockLayout.ts';

/** Rows whose nodes are joined together: no lane of the kernel is idle but at the very top. */
const TOGETHER = 4;

export class BlockHasher {
  private readonly kernels: Kernels;
  private readonly blocks: BlockLayout;
  private readonly kernel: HashKernel;
  private readonly hashes: number;
  private readonly sums: number;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels, blocks: BlockLayout) {
    this.kernels = kernels;
    this.blocks = blocks;
    this.kernel = new HashKernel(kernels);
    this.hashes = kernels.arena.allocate(TOGETHER * HASH_BYTES * blocks.chunks);
    this.sums = kernels.arena.allocate(TOGETHER * SUM_BYTES * blocks.chunks);
  }

  /** Memory that one of these takes, at most. */
  static byteLength({ chunks }: BlockLayout): number {
    return TOGETHER * (HASH_BYTES + SUM_BYTES) * chunks + 4096;
  }

  /** Of updates that begin at these addresses, over their first `chunks` chunks, missing ones being zero. */
  updates(rows: readonly number[], chunks: number): SumNode[] {
    const { chunks: width, depth, layout } = this.blocks;
    const leafBytes = UPDATE_COORDINATE_BYTES * layout.chunkSize;
    const roots: SumNode[] = [];
    for (let first = 0; first < rows.length; first += TOGETHER) {
      const some = rows.slice(first, first + TOGETHER);
      some.forEach((row, i) => {
        const [hashes, sums] = [this.hashes + i * width * HASH_BYTES, this.sums + i * width * SUM_BYTES];
        this.kernel.updateLeaves(row, leafBytes, chunks, hashes, sums);
        this.clear(hashes, HASH_BYTES, chunks);
        this.clear(sums, SUM_BYTES, chunks);
      });
      this.kernel.joinUpdateNodes(this.hashes, this.sums, some.length * width, depth);
      const sums = new BigUint64Array(this.kernels.memory.buffer, this.sums, some.length);
      roots.push(...Array.from(sums, (sum, i) => ({ hash: this.hash(i), sum })));
    }
    return roots;
  }

  /** Of a model, or of a state of so many planes, that begins at this address. */
  model(address: number, chunks: number, planes = 1): Uint8Array {
    const { chunks: width, depth, layout } = this.blocks;
    this.kernel.modelLeaves(address, MODEL_COORDINATE_BYTES * layout.chunkSize * planes, chunks, this.hashes);
    this.clear(this.hashes, HASH_BYTES, chunks);
    this.kernel.joinModelNodes(this.hashes, width, depth);
    return this.hash(0);
  }

  /** What is behind the first `chunks` of a block's entries. */
  private clear(entries: number, entryBytes: number, chunks: number): void {
    const missing = this.blocks.chunks - chunks;
    this.kernels.arena.bytes(entries + chunks * entryBytes, missing * entryBytes).fill(0);
  }

  private hash(place: number): Uint8Array {
    return this.kernels.arena.bytes(this.hashes + HASH_BYTES * place, HASH_BYTES).slice();
  }
}

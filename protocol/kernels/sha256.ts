/**
 * Leaves and nodes of the commitment trees, hashed four at a time by the kernels of assembly/sha256.ts. What is hashed is
 * described there and in protocol/commitment, which is the plain reference.
 *
 * Leaves that are very long are hashed one by one where the platform has a SHA-256 that is faster for them: Node's uses
 * the processor's SHA instructions, but costs about a microsecond a call (docs/decisions/0017-hashing-in-lanes.md).
 */
import { ONE_SHOT_LEAF_BYTES, sha256 } from '#sha256';
import type { Kernels } from './kernelModule.ts';

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, section 4.2.2). */
const ROUND_CONSTANTS = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];

/** Likewise of the square roots of the first 8 primes (section 5.3.3). */
const INITIAL_HASH = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/** Constants, state, message words and staged messages of four lanes. */
export const HASH_SCRATCH_BYTES = 704 + 4 * 144;

/** Bytes of a hash in the kernels' arrays. */
export const HASH_BYTES = 32;
/** Bytes of a sum of squares in the kernels' arrays: a little-endian u64. */
export const SUM_BYTES = 8;

/** Messages that are hashed side by side. */
export const LANES = 4;

/** Where four rows of at most `entries` int64 are staged: tag, entries, padding, in whole blocks of 64 bytes. */
export function gramStageBytes(entries: number): number {
  return LANES * 64 * Math.ceil((1 + 8 * entries + 9) / 64);
}

/** The address of what every hashing kernel works in. One thread's kernels may share it. */
export function placeHashScratch({ arena }: Kernels): number {
  const scratch = arena.allocate(HASH_SCRATCH_BYTES);
  arena.int32(scratch, 64 + 8).set([...ROUND_CONSTANTS, ...INITIAL_HASH]);
  return scratch;
}

/** The hashing kernels of one thread. All arguments are addresses in the kernels' memory, or counts. */
export class HashKernel {
  private readonly kernels: Kernels;
  private readonly scratch: number;
  private readonly oneShotBytes: number;

  /**
   * @param oneShotBytes leaves from this size on are hashed one by one; given by tests only
   * @throws AssayError `KERNEL_MEMORY` when the arena is full
   */
  constructor(kernels: Kernels, oneShotBytes: number = ONE_SHOT_LEAF_BYTES) {
    this.kernels = kernels;
    this.oneShotBytes = oneShotBytes;
    this.scratch = placeHashScratch(kernels);
  }

  /**
   * `count` consecutive leaves of an update, `leafBytes` each (32, or a multiple of 64): their hashes, and their sums of
   * squares from the same pass.
   */
  updateLeaves(data: number, leafBytes: number, count: number, hashes: number, sums: number): void {
    const { exports, memory } = this.kernels;
    if (leafBytes < this.oneShotBytes) {
      exports.hashUpdateLeaves(data, leafBytes, count, hashes, sums, this.scratch);
      return;
    }
    exports.sumSquaresOfLeaves(data, leafBytes, count, sums);
    const values = new BigUint64Array(memory.buffer, sums, count);
    const header = new DataView(new ArrayBuffer(1 + SUM_BYTES)); // 0x00 and the sum
    this.oneByOne(data, leafBytes, count, hashes, new Uint8Array(header.buffer), (leaf) => {
      header.setBigUint64(1, values[leaf]!);
    });
  }

  /** `count` consecutive leaves of a model or a server state, `leafBytes` each (a multiple of 64). */
  modelLeaves(data: number, leafBytes: number, count: number, hashes: number): void {
    if (leafBytes < this.oneShotBytes) {
      this.kernels.exports.hashModelLeaves(data, leafBytes, count, hashes, this.scratch);
    } else this.oneByOne(data, leafBytes, count, hashes, Uint8Array.of(0x02), () => {});
  }

  /** `count` nodes (a multiple of 2^levels) joined `levels` times in place: count / 2^levels roots are left. */
  joinUpdateNodes(hashes: number, sums: number, count: number, levels: number): void {
    this.kernels.exports.joinUpdateNodes(hashes, sums, count, levels, this.scratch);
  }

  /** As `joinUpdateNodes`, of model trees. */
  joinModelNodes(hashes: number, count: number, levels: number): void {
    this.kernels.exports.joinModelNodes(hashes, count, levels, this.scratch);
  }

  /**
   * `count` consecutive rows of a packed upper triangle of big-endian int64, of which the first has `entries`. `stage` is the address
   * of `gramStageBytes(entries)` bytes.
   */
  gramRows(values: number, entries: number, count: number, hashes: number, stage: number): void {
    const stageBytes = gramStageBytes(entries) / LANES;
    this.kernels.exports.hashGramRows(values, entries, count, hashes, stage, stageBytes, this.scratch);
  }

  /** H(header | leaf) of every leaf; `head` writes a leaf's header. */
  private oneByOne(
    data: number,
    leafBytes: number,
    count: number,
    hashes: number,
    header: Uint8Array,
    head: (leaf: number) => void,
  ): void {
    const leaves = this.kernels.arena.bytes(data, leafBytes * count);
    const digests = this.kernels.arena.bytes(hashes, HASH_BYTES * count);
    const preimage = new Uint8Array(header.length + leafBytes);
    for (let leaf = 0; leaf < count; leaf++) {
      head(leaf);
      preimage.set(header);
      preimage.set(leaves.subarray(leaf * leafBytes, (leaf + 1) * leafBytes), header.length);
      digests.set(sha256(preimage), HASH_BYTES * leaf);
    }
  }
}

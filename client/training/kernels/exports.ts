/**
 * The exports of `assembly/kernels.ts`, where each is described, family by family. Addresses, lengths and flags (0 or 1)
 * are numbers; addresses above 2 GiB may be given as they are.
 */
export interface GemmExports {
  gemmScratchBytes(): number;
  gemm(
    a: number,
    b: number,
    bias: number,
    c: number,
    m: number,
    n: number,
    k: number,
    transposeA: number,
    transposeB: number,
    count: number,
    aStride: number,
    bStride: number,
    cStride: number,
    scratch: number,
  ): void;
  reluInPlace(values: number, length: number): void;
}

export type KernelExports = GemmExports;

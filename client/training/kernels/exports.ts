import type { OperationExports, OptimizerExports } from './operationExports.ts';

/**
 * The exports of `assembly/kernels.ts`, where each is described, family by family. Addresses, lengths and flags (0 or 1)
 * are numbers; addresses above 2 GiB may be given as they are.
 */
export interface GemmExports {
  multiplyAddAt(x: number, y: number, z: number, out: number): void;
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

export interface ConvolutionExports {
  convolutionScratchBytes(geometry: number): number;
  convolve(x: number, filter: number, bias: number, y: number, geometry: number, relu: number, scratch: number): void;
  convolveFilterGradient(x: number, dy: number, dFilter: number, geometry: number, scratch: number): void;
  convolveInputGradient(filter: number, dy: number, dx: number, geometry: number, scratch: number): void;
  depthwise(x: number, filter: number, y: number, geometry: number): void;
  depthwiseFilterGradient(x: number, dy: number, dFilter: number, geometry: number): void;
  depthwiseInputGradient(filter: number, dy: number, dx: number, geometry: number): void;
}

export interface PoolingExports {
  maxPool(x: number, y: number, geometry: number): void;
  maxPoolGradient(x: number, y: number, dy: number, dx: number, geometry: number): void;
  avgPool(x: number, y: number, geometry: number): void;
  avgPoolGradient(dy: number, dx: number, geometry: number): void;
}

export interface SegmentExports {
  segmentSum(x: number, segmentIds: number, rows: number, length: number, segments: number, out: number): void;
}

export type KernelExports = GemmExports &
  ConvolutionExports &
  PoolingExports &
  SegmentExports &
  OperationExports &
  OptimizerExports;

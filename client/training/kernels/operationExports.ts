/** The exports of `assembly/kernels.ts` behind the fused operations (client/training/tfjs/ops) and the optimisers. */
export interface OperationExports {
  activate(kind: number, x: number, y: number, n: number): void;
  activationGradient(kind: number, dy: number, known: number, dx: number, n: number): void;
  geluAndSlope(x: number, y: number, slope: number, n: number): void;
  columnSums(x: number, rows: number, width: number, stride: number, out: number): void;
  rowSums(x: number, rows: number, width: number, out: number): void;
  sumOfSquares(x: number, n: number): number;
  layerNorm(
    x: number,
    gain: number,
    offset: number,
    rows: number,
    width: number,
    epsilon: number,
    y: number,
    stats: number,
  ): void;
  layerNormGradient(
    dy: number,
    x: number,
    gain: number,
    stats: number,
    rows: number,
    width: number,
    dx: number,
    dgain: number,
    doffset: number,
  ): void;
  gatherRows(table: number, rows: number, width: number, ids: number, n: number, out: number): number;
  sumRowsById(dy: number, ids: number, n: number, rows: number, width: number, table: number): void;
  attentionScratchBytes(time: number, size: number): number;
  attentionGradientScratchBytes(time: number, size: number): number;
  causalAttention(
    qkv: number,
    batch: number,
    time: number,
    heads: number,
    size: number,
    out: number,
    stats: number,
    scratch: number,
  ): void;
  causalAttentionGradient(
    dout: number,
    qkv: number,
    out: number,
    stats: number,
    batch: number,
    time: number,
    heads: number,
    size: number,
    dqkv: number,
    scratch: number,
  ): void;
  lstmScratchBytes(units: number): number;
  lstmGradientScratchBytes(batch: number, time: number, units: number): number;
  lstm(
    drive: number,
    ids: number,
    recurrent: number,
    batch: number,
    time: number,
    units: number,
    out: number,
    before: number,
    gates: number,
    cells: number,
    scratch: number,
  ): void;
  lstmGradient(
    dout: number,
    recurrent: number,
    ids: number,
    before: number,
    gates: number,
    cells: number,
    batch: number,
    time: number,
    units: number,
    rows: number,
    ddrive: number,
    drecurrent: number,
    scratch: number,
    gemmScratch: number,
  ): void;
  gaussianPoint(mean: number, logs: number, noise: number, n: number, point: number, part: number): void;
  gaussianPointGradient(dy: number, part: number, n: number, dlogs: number): void;
  gaussianDivergence(
    mean: number,
    logs: number,
    n: number,
    rows: number,
    loss: number,
    dmean: number,
    dlogs: number,
  ): void;
  crossEntropy(logits: number, labels: number, rows: number, classes: number, loss: number, gradient: number): number;
  binaryCrossEntropy(
    logits: number,
    targets: number,
    rows: number,
    width: number,
    loss: number,
    gradient: number,
  ): number;
  scale(x: number, factor: number, y: number, n: number): void;
}

export interface OptimizerExports {
  sgdPlain(w: number, g: number, n: number, rate: number): void;
  sgdMomentum(w: number, g: number, v: number, n: number, rate: number, momentum: number): void;
  adam(
    w: number,
    g: number,
    mean: number,
    square: number,
    n: number,
    rate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    correction1: number,
    correction2: number,
  ): void;
}

/** Rows of `logits` whose largest value is at the row's label; the lower class wins a tie. */
export function countHits(logits: Float32Array, classes: number, labels: ArrayLike<number>): number {
  let hits = 0;
  for (let row = 0; row < labels.length; row++) {
    const start = row * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[start + c]! > logits[start + best]!) best = c;
    if (best === labels[row]) hits++;
  }
  return hits;
}

/** Logits on the same side of 0 as their target is of 1/2. */
export function countPixels(logits: Float32Array, targets: Float32Array): number {
  let right = 0;
  for (let i = 0; i < targets.length; i++) if (logits[i]! > 0 === targets[i]! > 0.5) right++;
  return right;
}

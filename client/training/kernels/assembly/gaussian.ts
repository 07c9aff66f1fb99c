/**
 * What a variational autoencoder does between its halves (Kingma and Welling 2014): a point of a normal distribution given
 * by mean and logarithm of the variance, and how far that distribution is from the standard one.
 *
 *     point = mean + s noise, s = e^(l/2)              dmean = dy,  dl = dy s noise / 2
 *     divergence = 1/2 (mean^2 + e^l - 1 - l)          dmean = mean,  dl = (e^l - 1) / 2
 */
import { multiplyAdd } from './fusedMultiplyAdd';
import { exp4, laneSum, loadSome, storeSome } from './vectorMath';

// @ts-ignore: decorator
@inline
function loadUpTo4(at: usize, count: i32): v128 {
  return count >= 4 ? v128.load(at) : loadSome(at, count);
}

// @ts-ignore: decorator
@inline
function storeUpTo4(at: usize, v: v128, count: i32): void {
  if (count >= 4) v128.store(at, v);
  else storeSome(at, v, count);
}

/** point = mean + noise, whose part by chance goes to `part`, which its gradient needs. All of n numbers. */
export function gaussianPoint(mean: usize, logs: usize, noise: usize, n: i32, point: usize, part: usize): void {
  for (let i = 0; i < n; i += 4, mean += 16, logs += 16, noise += 16, point += 16, part += 16) {
    const count = n - i;
    const deviation = exp4(f32x4.mul(loadUpTo4(logs, count), f32x4.splat(0.5)));
    const moved = f32x4.mul(deviation, loadUpTo4(noise, count));
    storeUpTo4(part, moved, count);
    storeUpTo4(point, f32x4.add(loadUpTo4(mean, count), moved), count);
  }
}

/** dlogs = dy part / 2. */
export function gaussianPointGradient(dy: usize, part: usize, n: i32, dlogs: usize): void {
  for (let i = 0; i < n; i += 4, dy += 16, part += 16, dlogs += 16) {
    const count = n - i;
    const half = f32x4.mul(loadUpTo4(part, count), f32x4.splat(0.5));
    storeUpTo4(dlogs, f32x4.mul(loadUpTo4(dy, count), half), count);
  }
}

/** Summed over n numbers, divided by `rows`, to `loss`; its gradients beside it, unless `dmean` is 0. */
export function gaussianDivergence(mean: usize, logs: usize, n: i32, rows: i32, loss: usize, dmean: usize, dlogs: usize): void {
  const one = f32x4.splat(1);
  const share = f32x4.splat(1 / <f32>rows);
  const half = f32x4.splat(0.5 / <f32>rows);
  let sum = f32x4.splat(0);
  for (let i = 0; i < n; i += 4, mean += 16, logs += 16) {
    const count = n - i;
    // Lanes that are not there are zero, and so is what they add: 0 + 1 - 1 - 0.
    const m = loadUpTo4(mean, count);
    const l = loadUpTo4(logs, count);
    const excess = f32x4.sub(exp4(l), one);
    sum = f32x4.add(sum, multiplyAdd(m, m, f32x4.sub(excess, l)));
    if (dmean != 0) {
      storeUpTo4(dmean, f32x4.mul(m, share), count);
      storeUpTo4(dlogs, f32x4.mul(excess, half), count);
      dmean += 16;
      dlogs += 16;
    }
  }
  store<f32>(loss, laneSum(sum) * (0.5 / <f32>rows));
}

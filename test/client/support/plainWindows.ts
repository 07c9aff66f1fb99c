/** Convolution and pooling written out in float64, window by window: what the kernels must agree with. */

export interface Windows {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly filters: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: 'same' | 'valid';
}

interface Axis {
  readonly size: number;
  readonly before: number;
}

function axis(size: number, filter: number, { stride, dilation, padding }: Windows): Axis {
  const reach = (filter - 1) * dilation + 1;
  if (padding === 'valid') return { size: Math.floor((size - reach) / stride) + 1, before: 0 };
  const count = Math.ceil(size / stride);
  return { size: count, before: Math.floor(Math.max(0, (count - 1) * stride + reach - size) / 2) };
}

/** [height, width] of the output. */
export function outputSides(w: Windows): [number, number] {
  return [axis(w.height, w.filterHeight, w).size, axis(w.width, w.filterWidth, w).size];
}

/** Calls `visit` with the flat pixel of the output, that of the input and that of the filter, for every pair that meets. */
export function eachMeeting(w: Windows, visit: (out: number, input: number, tap: number) => void): void {
  const rows = axis(w.height, w.filterHeight, w);
  const columns = axis(w.width, w.filterWidth, w);
  let out = 0;
  for (let b = 0; b < w.batch; b++) {
    for (let oy = 0; oy < rows.size; oy++) {
      for (let ox = 0; ox < columns.size; ox++, out++) {
        for (let ky = 0; ky < w.filterHeight; ky++) {
          for (let kx = 0; kx < w.filterWidth; kx++) {
            const iy = oy * w.stride - rows.before + ky * w.dilation;
            const ix = ox * w.stride - columns.before + kx * w.dilation;
            if (iy < 0 || iy >= w.height || ix < 0 || ix >= w.width) continue;
            visit(out, (b * w.height + iy) * w.width + ix, ky * w.filterWidth + kx);
          }
        }
      }
    }
  }
}

interface Convolution {
  readonly y: Float64Array;
  readonly dx: Float64Array;
  readonly dFilter: Float64Array;
}

/** Output and both gradients for `x` NHWC, `filter` HWIO (HWCM with `depthwise`) and the output's gradient `dy`. */
export function plainConvolution(
  w: Windows,
  x: Float32Array,
  filter: Float32Array,
  dy: Float32Array,
  depthwise = false,
): Convolution {
  const { channels, filters } = w;
  const outChannels = depthwise ? channels * filters : filters;
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  const dFilter = new Float64Array(filter.length);
  eachMeeting(w, (out, input, tap) => {
    for (let c = 0; c < channels; c++) {
      for (let f = 0; f < filters; f++) {
        const o = out * outChannels + (depthwise ? c * filters + f : f);
        const i = input * channels + c;
        const k = (tap * channels + c) * filters + f;
        y[o]! += x[i]! * filter[k]!;
        dx[i]! += dy[o]! * filter[k]!;
        dFilter[k]! += dy[o]! * x[i]!;
      }
    }
  });
  return { y, dx, dFilter };
}

/** Output and gradient of pooling over windows of a size; `filters` plays no part. */
export function plainPooling(
  w: Windows,
  kind: 'largest' | 'mean',
  x: Float32Array,
  dy: Float32Array,
): { readonly y: Float64Array; readonly dx: Float64Array } {
  const { channels } = w;
  const y = new Float64Array(dy.length).fill(kind === 'mean' ? 0 : Number.NEGATIVE_INFINITY);
  const counts = new Float64Array(dy.length);
  const places = new Int32Array(dy.length);
  const dx = new Float64Array(x.length);
  eachMeeting(w, (out, input) => {
    for (let c = 0; c < channels; c++) {
      const o = out * channels + c;
      const i = input * channels + c;
      counts[o]!++;
      if (kind === 'mean') y[o]! += x[i]!;
      else if (x[i]! > y[o]!) {
        y[o] = x[i]!;
        places[o] = i;
      }
    }
  });
  if (kind === 'mean') {
    y.forEach((sum, o) => {
      y[o] = sum / counts[o]!;
    });
    eachMeeting(w, (out, input) => {
      for (let c = 0; c < channels; c++) {
        dx[input * channels + c]! += dy[out * channels + c]! / counts[out * channels + c]!;
      }
    });
  } else {
    dy.forEach((gradient, o) => {
      dx[places[o]!]! += gradient;
    });
  }
  return { y, dx };
}

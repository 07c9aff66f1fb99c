import type { Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/** Added to the variance before its root is taken. */
const EPSILON = 1e-5;

/** Layer normalisation; its gradient by input, gain and offset is one pass. */
export function fusedLayerNorm(context: FusedContext): Ops['layerNorm'] {
  const { exports, at } = context;
  return (x, gain, offset) => {
    const width = gain.size;
    const rows = x.size / width;
    const y = context.blank(x.shape);
    const stats = context.blank([rows, 2]);
    exports.layerNorm(at(x), at(gain), at(offset), rows, width, EPSILON, at(y), at(stats));
    if (!context.recording()) {
      stats.dispose();
      return y;
    }
    context.record('FusedLayerNorm', { x, gain, offset }, y, [x, gain], [stats], (dy) => {
      const dx = context.blank(x.shape);
      const dgain = context.blank(gain.shape);
      const doffset = context.blank(offset.shape);
      exports.layerNormGradient(
        ...([at(dy), at(x), at(gain), at(stats), rows, width] as const),
        ...([at(dx), at(dgain), at(doffset)] as const),
      );
      return { x: () => dx, gain: () => dgain, offset: () => doffset };
    });
    return y;
  };
}

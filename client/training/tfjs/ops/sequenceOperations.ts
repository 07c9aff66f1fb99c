import type { Tensor } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../../protocol/errors.ts';
import type { Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/** Rows of a table by number; the gradient of a row is the sum over its uses, in their order. */
export function fusedEmbedding(context: FusedContext): Ops['embedding'] {
  const { exports, at } = context;
  return (table, ids) => {
    const [rows, width] = table.shape;
    const out = context.blank([...ids.shape, width]);
    const wrong = exports.gatherRows(at(table), rows, width, at(ids), ids.size, at(out));
    if (ids.dtype !== 'int32' || wrong >= 0) {
      throw new AssayError('KERNEL_IDS', {
        summary: 'not every id is a row of the table',
        expected: `int32 ids from 0 to ${rows - 1}`,
        received:
          ids.dtype === 'int32' ? `${context.integers(at(ids), ids.size)[wrong]}, at place ${wrong}` : ids.dtype,
        fix: 'check that the data was cut into tokens by the tokenizer of the manifest',
      });
    }
    if (!context.recording()) return out;
    context.record('FusedEmbedding', { table }, out, [ids], [], (dy) => ({
      table: () => {
        const dtable = context.blank(table.shape);
        exports.sumRowsById(at(dy), at(ids), ids.size, rows, width, at(dtable));
        return dtable;
      },
    }));
    return out;
  };
}

/** Causal attention; scores are made a block at a time, and again for the gradient: never `[b, heads, t, t]`. */
export function fusedAttention(context: FusedContext): Ops['causalAttention'] {
  const { exports, at } = context;

  /** Room for the scores of a block, and for the product behind it. */
  function room(time: number, size: number): readonly [scratch: number, gemmScratch: number] {
    const own = Math.ceil(exports.attentionScratchBytes(time, size) / 16) * 16;
    const scratch = context.scratch(own + exports.gemmScratchBytes());
    return [scratch, scratch + own];
  }

  return (qkv, heads) => {
    const [batch, time, triple] = qkv.shape;
    const size = triple / 3 / heads;
    if (!Number.isInteger(size)) {
      throw new AssayError('KERNEL_SHAPES', {
        summary: 'queries, keys and values do not split into heads',
        expected: `a last side that is a multiple of 3 x ${heads}`,
        received: `[${qkv.shape.join(', ')}]`,
        fix: "make the model's width a multiple of its number of heads",
      });
    }
    const out = context.blank([batch, time, triple / 3]);
    const logs = context.blank([batch, heads, time]);
    exports.causalAttention(at(qkv), batch, time, heads, size, at(out), at(logs), ...room(time, size));
    if (!context.recording()) {
      logs.dispose();
      return out as ReturnType<Ops['causalAttention']>;
    }
    context.record('FusedAttention', { qkv }, out, [qkv, out], [logs], (dy) => ({
      qkv: () => {
        const dqkv = context.blank(qkv.shape);
        exports.causalAttentionGradient(
          ...([at(dy), at(qkv), at(out), at(logs), batch, time, heads, size, at(dqkv)] as const),
          ...room(time, size),
        );
        return dqkv;
      },
    }));
    return out as ReturnType<Ops['causalAttention']>;
  };
}

/** A layer of long short-term memory over a whole sequence: one kernel call there, one back through time. */
export function fusedLstm(context: FusedContext): Ops['lstm'] {
  const { exports, at } = context;
  return (x, kernel, recurrent, bias) => {
    const [batch, time, inputs] = x.shape;
    const [units] = recurrent.shape;
    if (kernel.shape[0] !== inputs || kernel.shape[1] !== 4 * units || bias.size !== 4 * units) {
      throw new AssayError('KERNEL_SHAPES', {
        summary: 'these tensors make no layer of long short-term memory',
        expected: `kernel [${inputs}, ${4 * units}] and bias [${4 * units}] beside recurrent [${units}, ${4 * units}]`,
        received: `kernel [${kernel.shape.join(', ')}], bias [${bias.shape.join(', ')}]`,
        fix: 'check the widths of the layer',
      });
    }
    const sizes = [batch, time, inputs, units] as const;
    const room = (): readonly [scratch: number, gemmScratch: number] => {
      const own = Math.ceil(exports.lstmScratchBytes(...sizes) / 16) * 16;
      const scratch = context.scratch(own + exports.gemmScratchBytes());
      return [scratch, scratch + own];
    };
    const out = context.blank([batch, time, units]);
    const read = context.blank([time, batch, inputs + units]);
    const gates = context.blank([time, batch, 4 * units]);
    const cells = context.blank([time, batch, units]);
    const own: Tensor[] = [read, gates, cells];
    exports.lstm(
      ...([at(x), at(kernel), at(recurrent), at(bias), ...sizes] as const),
      ...([at(out), at(read), at(gates), at(cells), ...room()] as const),
    );
    if (!context.recording()) {
      for (const tensor of own) tensor.dispose();
      return out as ReturnType<Ops['lstm']>;
    }
    context.record('FusedLstm', { x, kernel, recurrent, bias }, out, [kernel, recurrent], own, (dy) => {
      const dx = context.blank(x.shape);
      const dkernel = context.blank(kernel.shape);
      const drecurrent = context.blank(recurrent.shape);
      const dbias = context.blank(bias.shape);
      exports.lstmGradient(
        ...([at(dy), at(kernel), at(recurrent), at(read), at(gates), at(cells), ...sizes] as const),
        ...([at(dx), at(dkernel), at(drecurrent), at(dbias), ...room()] as const),
      );
      return { x: () => dx, kernel: () => dkernel, recurrent: () => drecurrent, bias: () => dbias };
    });
    return out as ReturnType<Ops['lstm']>;
  };
}

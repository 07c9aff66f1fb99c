import type { DataId, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../../protocol/errors.ts';
import type { Ops } from '../../../models/ops.ts';
import type { FusedContext } from './tapeOperation.ts';

/**
 * Which tensors are rows of a table, by their data: an operation on them may prefer to work on the table, as long as the
 * tape knows of both or of neither.
 */
export type Embedded = WeakMap<DataId, { readonly table: Tensor2D; readonly ids: Tensor; readonly recorded: boolean }>;

/** Rows of a table by number; the gradient of a row is the sum over its uses, in their order. */
export function fusedEmbedding(context: FusedContext, embedded: Embedded): Ops['embedding'] {
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
    embedded.set(out.dataId, { table, ids, recorded: context.recording() });
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

/** Causal attention; scores are made four queries at a time, and again for the gradient: never `[b, heads, t, t]`. */
export function fusedAttention(context: FusedContext): Ops['causalAttention'] {
  const { exports, at } = context;
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
    const stats = context.blank([batch, heads, time, 2]);
    const scratch = context.scratch(exports.attentionScratchBytes(time, size));
    exports.causalAttention(at(qkv), batch, time, heads, size, at(out), at(stats), scratch);
    if (!context.recording()) {
      stats.dispose();
      return out as Tensor3D;
    }
    context.record('FusedAttention', { qkv }, out, [qkv, out], [stats], (dy) => ({
      qkv: () => {
        const dqkv = context.blank(qkv.shape);
        const room = context.scratch(exports.attentionGradientScratchBytes(time, size));
        exports.causalAttentionGradient(
          ...([at(dy), at(qkv), at(out), at(stats), batch, time, heads, size, at(dqkv), room] as const),
        );
        return dqkv;
      },
    }));
    return out as Tensor3D;
  };
}

/**
 * A layer of long short-term memory over a whole sequence: one kernel call there, one back through time. Its input's
 * product is a dense layer of its own. Where the input is rows of an embedding that was looked up more often than it has
 * rows, that layer runs over the table instead: the same sums, made once per row.
 */
export function fusedLstm(context: FusedContext, dense: Ops['dense'], embedded: Embedded): Ops['lstm'] {
  const { exports, at } = context;

  function steps(drive: Tensor, ids: Tensor | null, recurrent: Tensor2D, batch: number, time: number): Tensor {
    const [units] = recurrent.shape;
    const rows = drive.size / (4 * units);
    const out = context.blank([batch, time, units]);
    const before = context.blank([time, batch, units]);
    const gates = context.blank([time, batch, 4 * units]);
    const cells = context.blank([time, batch, units]);
    const own = [before, gates, cells];
    const idsAt = ids === null ? 0 : at(ids);
    exports.lstm(
      ...([at(drive), idsAt, at(recurrent), batch, time, units, at(out)] as const),
      ...([at(before), at(gates), at(cells), context.scratch(exports.lstmScratchBytes(units))] as const),
    );
    if (!context.recording()) {
      for (const tensor of own) tensor.dispose();
      return out;
    }
    const saved = ids === null ? [recurrent] : [recurrent, ids];
    context.record('FusedLstm', { drive, recurrent }, out, saved, own, (dy) => {
      const ddrive = context.blank(drive.shape);
      const drecurrent = context.blank(recurrent.shape);
      const bytes = Math.ceil(exports.lstmGradientScratchBytes(batch, time, units) / 16) * 16;
      const scratch = context.scratch(bytes + exports.gemmScratchBytes());
      exports.lstmGradient(
        ...([at(dy), at(recurrent), idsAt, at(before), at(gates), at(cells), batch, time, units, rows] as const),
        ...([at(ddrive), at(drecurrent), scratch, scratch + bytes] as const),
      );
      return { drive: () => ddrive, recurrent: () => drecurrent };
    });
    return out;
  }

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
    const source = embedded.get(x.dataId);
    const fromTable =
      source !== undefined &&
      source.recorded === context.recording() &&
      source.table.shape[1] === inputs &&
      source.table.shape[0] < batch * time;
    const out = fromTable
      ? steps(dense(source.table, kernel, bias), source.ids, recurrent, batch, time)
      : steps(dense(x, kernel, bias), null, recurrent, batch, time);
    return out as Tensor3D;
  };
}

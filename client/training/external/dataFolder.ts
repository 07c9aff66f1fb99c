import { join } from 'node:path';
import { writeFileAtomic } from '../../../storage/atomicFile.ts';
import { type AnyDataset, isText } from '../../datasets/text/textDataset.ts';

/**
 * Samples as any language reads them: `train.safetensors` and `test.safetensors` in the data folder, each with
 *
 *     x  U8 or F32 [samples, features]   a value's meaning is x * scale
 *     y  I32       [samples]             labels
 *
 * and `name`, `scale`, `classes` as metadata; of text
 *
 *     tokens  U16 [tokens]               as the manifest's tokeniser writes it, 256 after each document
 *
 * and `name`, `context`, `vocabulary`, `bytes`. So the same `--dataset` and `--partition` feed every kind of trainer, and
 * what is compared is the trainers.
 */
export async function writeSamples(folder: string, split: 'train' | 'test', dataset: AnyDataset): Promise<void> {
  await writeFileAtomic(join(folder, `${split}.safetensors`), encodeDataset(dataset));
}

function encodeDataset(dataset: AnyDataset): Uint8Array {
  if (isText(dataset)) {
    const { name, tokens, context, vocabulary, bytes } = dataset;
    return encodeTensorFile([{ name: 'tokens', dtype: 'U16', shape: [tokens.length], values: tokens }], {
      name,
      context: String(context),
      vocabulary: String(vocabulary),
      bytes: String(bytes),
    });
  }
  const { name, size, features, classes, scale, x, y } = dataset;
  return encodeTensorFile(
    [
      { name: 'x', dtype: x instanceof Uint8Array ? 'U8' : 'F32', shape: [size, features], values: x },
      { name: 'y', dtype: 'I32', shape: [size], values: Int32Array.from(y) },
    ],
    // Seventeen digits give a double back to the bit.
    { name, scale: scale.toPrecision(17), classes: String(classes) },
  );
}

/** A tensor of any number type that data sets have. */
export interface DataTensor {
  readonly name: string;
  readonly dtype: 'U8' | 'U16' | 'I32' | 'F32';
  readonly shape: readonly number[];
  readonly values: Uint8Array | Uint16Array | Int32Array | Float32Array;
}

/** Safetensors with tensors of several types, the widest first: each begins at a multiple of its own width. */
export function encodeTensorFile(
  tensors: readonly DataTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const ordered = tensors.toSorted((a, b) => b.values.BYTES_PER_ELEMENT - a.values.BYTES_PER_ELEMENT);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype, shape, values } of ordered) {
    header[name] = { dtype, shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const begin = 8 + Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(begin + end);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(begin - 8), true);
  file.fill(0x20, 8, begin);
  file.set(text, 8);
  let offset = begin;
  for (const { dtype, values } of ordered) {
    const width = values.BYTES_PER_ELEMENT;
    if (width === 1) file.set(values, offset);
    else {
      for (let i = 0; i < values.length; i++) {
        if (dtype === 'U16') view.setUint16(offset + 2 * i, values[i]!, true);
        else if (dtype === 'I32') view.setInt32(offset + 4 * i, values[i]!, true);
        else view.setFloat32(offset + 4 * i, values[i]!, true);
      }
    }
    offset += values.byteLength;
  }
  return file;
}

import { compareBytewise, type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';

/**
 * The safetensors format (huggingface/safetensors, README "Format"): 8 bytes little-endian length N of the header, N
 * bytes of JSON, then the tensors' bytes. The header maps each name to `{dtype, shape, data_offsets: [begin, end]}`,
 * offsets counted from the end of the header, without holes; the key `__metadata__` holds strings. Only F32 is written
 * and read here.
 */
export interface SafetensorsModel {
  readonly tensors: readonly TensorSpec[];
  /** `[d]`, the tensors one after the other, row-major. */
  readonly weights: Float32Array;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference reader refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;

/** Where numbers lie in memory as they lie in the file, they are copied whole: ten times as fast as one by one. */
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The bytes of a safetensors file. @throws AssayError WEIGHTS_LENGTH when the tensors do not add up to the weights */
export function encodeSafetensors({ tensors, weights, metadata }: SafetensorsModel): Uint8Array {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const slices = tensorSlices(tensors);
  for (const { name, shape, offset, length } of slices) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset * 4, (offset + length) * 4] };
  }
  const total = slices.reduce((sum, { length }) => sum + length, 0);
  if (weights.length !== total) {
    throw new AssayError('WEIGHTS_LENGTH', {
      summary: 'the weights are not those of the tensors',
      expected: `${total} coordinates`,
      received: `${weights.length} coordinates`,
    });
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces after the JSON bring the tensors to a multiple of 8 bytes, so that readers can map the file and point into
  // it.
  const headerLength = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + 4 * total);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(headerLength), true);
  file.fill(0x20, 8, 8 + headerLength);
  file.set(text, 8);
  const body = file.subarray(8 + headerLength);
  if (LITTLE_ENDIAN) body.set(bytesOf(weights));
  else for (let i = 0; i < total; i++) view.setFloat32(8 + headerLength + 4 * i, weights[i]!, true);
  return file;
}

/**
 * Reads a file written by this or any other safetensors library, tensors sorted bytewise by name whatever their order
 * in the file. Bytes come from outside: everything is checked.
 *
 * @throws AssayError SAFETENSORS
 */
export function decodeSafetensors(file: Uint8Array): SafetensorsModel {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 8) throw broken('at least 8 bytes', `${file.length} bytes`);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MAX_HEADER_BYTES || 8 + headerLength > file.length) {
    throw broken(`a header within the ${file.length} bytes of the file`, `a header of ${headerLength} bytes`);
  }
  const { __metadata__: metadata = {}, ...entries } = parseHeader(file.subarray(8, 8 + headerLength));
  if (!isStringRecord(metadata)) throw broken('__metadata__ with strings only', JSON.stringify(metadata));

  const dataLength = file.length - 8 - headerLength;
  const found = Object.entries(entries)
    .map(([name, entry]) => parseEntry(name, entry))
    .sort((a, b) => a.begin - b.begin);
  let position = 0;
  for (const { name, begin, end } of found) {
    if (begin !== position)
      throw broken(`tensor ${name} to begin at byte ${position}: no holes, no overlaps`, String(begin));
    position = end;
  }
  if (position !== dataLength) throw broken(`${position} bytes of tensors`, `${dataLength} bytes`);

  const sorted = found.toSorted((a, b) => compareBytewise(a.name, b.name));
  const weights = new Float32Array(dataLength / 4);
  let coordinate = 0;
  for (const { begin, end } of sorted) {
    if (LITTLE_ENDIAN) {
      bytesOf(weights).set(file.subarray(8 + headerLength + begin, 8 + headerLength + end), 4 * coordinate);
      coordinate += (end - begin) / 4;
      continue;
    }
    for (let at = begin; at < end; at += 4) weights[coordinate++] = view.getFloat32(8 + headerLength + at, true);
  }
  return { tensors: sorted.map(({ name, shape }) => ({ name, shape })), weights, metadata };
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw broken('a header of JSON in UTF-8', cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw broken('a JSON object', String(header));
  return header as Record<string, unknown>;
}

function parseEntry(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (dtype !== 'F32') throw broken(`tensor ${name} of dtype F32`, String(dtype));
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw broken(`tensor ${name} with shape and two data_offsets`, JSON.stringify(entry));
  }
  const begin = offsets[0]!;
  const end = offsets[1]!;
  const bytes = 4 * shape.reduce((product, side) => product * side, 1);
  if (end - begin !== bytes)
    throw broken(`tensor ${name} of ${bytes} bytes, as its shape says`, `${end - begin} bytes`);
  return { name, shape, begin, end };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}

function broken(expected: string, received: string): AssayError {
  return new AssayError('SAFETENSORS', {
    summary: 'the file is not a usable safetensors file',
    expected,
    received,
    fix: 'write it again with a safetensors library, tensors as float32',
  });
}

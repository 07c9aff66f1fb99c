/**
 * The payload bytes of an update (int16) and of a model snapshot or server state (int32): little-endian coordinates in
 * manifest order, zero-padded to whole chunks, nothing else. Bytes that come from outside are parsed here, once.
 */
import { AssayError } from '../errors.ts';
import type { VectorLayout } from './layout.ts';

export const UPDATE_COORDINATE_BYTES = 2;
export const MODEL_COORDINATE_BYTES = 4;

// The typed-array views below are the wire format on little-endian machines only: today all that run Node or a browser.
if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new AssayError('BIG_ENDIAN', { summary: 'Assay runs on little-endian machines only' });
}

/** Length of an update's payload: chunkCount * K * 2 bytes. */
export function updatePayloadLength(layout: VectorLayout): number {
  return layout.chunkCount * layout.chunkSize * UPDATE_COORDINATE_BYTES;
}

/** Length of a model snapshot's payload: chunkCount * K * 4 bytes. */
export function modelPayloadLength(layout: VectorLayout): number {
  return layout.chunkCount * layout.chunkSize * MODEL_COORDINATE_BYTES;
}

/** The payload of an update of shape [d]. @throws AssayError `VECTOR_LENGTH` when `update` has not d coordinates. */
export function encodeUpdate(update: Int16Array, layout: VectorLayout): Uint8Array {
  checkDimension(update.length, layout);
  const padded = new Int16Array(layout.chunkCount * layout.chunkSize);
  padded.set(update);
  return new Uint8Array(padded.buffer);
}

/** The payload of a model of shape [d]. @throws AssayError `VECTOR_LENGTH` when `model` has not d coordinates. */
export function encodeModel(model: Int32Array, layout: VectorLayout): Uint8Array {
  checkDimension(model.length, layout);
  const padded = new Int32Array(layout.chunkCount * layout.chunkSize);
  padded.set(model);
  return new Uint8Array(padded.buffer);
}

/**
 * The update in a payload, shape [d].
 * @throws AssayError `PAYLOAD_LENGTH` or `PAYLOAD_PADDING`: the bytes are not an update of this layout.
 */
export function decodeUpdate(payload: Uint8Array, layout: VectorLayout): Int16Array {
  checkPayloadLength(payload.length, updatePayloadLength(layout), 'update');
  const padded = viewInt16(payload);
  checkPadding(padded, layout);
  return padded.subarray(0, layout.dimension);
}

/**
 * The model (or server state) in a payload, shape [d].
 * @throws AssayError `PAYLOAD_LENGTH` or `PAYLOAD_PADDING`: the bytes are not a model snapshot of this layout.
 */
export function decodeModel(payload: Uint8Array, layout: VectorLayout): Int32Array {
  checkPayloadLength(payload.length, modelPayloadLength(layout), 'model');
  const padded = viewInt32(payload);
  checkPadding(padded, layout);
  return padded.subarray(0, layout.dimension);
}

/** The same bytes as int16 coordinates; copies only when the bytes are not aligned. */
export function viewInt16(bytes: Uint8Array): Int16Array {
  // Not bytes.slice(): a Node Buffer's slice is a view of the same, unaligned, memory.
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

/** The same bytes as int32 coordinates; copies only when the bytes are not aligned. */
export function viewInt32(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(vector: Int16Array | Int32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/**
 * Whether every coordinate from d to the end of the last chunk is zero. `lastChunk` is the last chunk of a payload.
 */
export function isZeroPadded(lastChunk: Int16Array | Int32Array, layout: VectorLayout): boolean {
  const used = layout.dimension - (layout.chunkCount - 1) * layout.chunkSize;
  return lastChunk.subarray(used).every((coordinate: number) => coordinate === 0);
}

function checkDimension(length: number, layout: VectorLayout): void {
  if (length !== layout.dimension) {
    throw new AssayError('VECTOR_LENGTH', {
      summary: 'the vector does not have as many coordinates as the manifest',
      expected: `${layout.dimension} coordinates`,
      received: `${length}`,
    });
  }
}

function checkPayloadLength(received: number, expected: number, what: string): void {
  if (received !== expected) {
    throw new AssayError('PAYLOAD_LENGTH', {
      summary: `the ${what} payload has the wrong length`,
      expected: `${expected} bytes`,
      received: `${received} bytes`,
      fix: 'fetch it again; if it stays so, its owner stored something else',
    });
  }
}

function checkPadding(padded: Int16Array | Int32Array, layout: VectorLayout): void {
  if (!isZeroPadded(padded.subarray((layout.chunkCount - 1) * layout.chunkSize), layout)) {
    throw new AssayError('PAYLOAD_PADDING', {
      summary: 'the payload is not zero beyond its last coordinate',
      expected: `zeros after coordinate ${layout.dimension - 1}`,
      received: 'another value in the padding',
    });
  }
}

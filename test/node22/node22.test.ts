/** In the V8 of Node 22 kernels give the bits of plain TypeScript, training those of Node 24: `npm run test:node22`. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { findNode22 } from './node22.ts';

const folder = new URL('../', import.meta.url);

/** What a script of the tests prints when Node 22 runs it; undefined, said aloud, when there is none. */
async function runInNode22(script: string, ...args: string[]): Promise<unknown> {
  const found = findNode22();
  if (found.node === undefined) {
    if (process.env.ASSAY_REQUIRE_NODE22 === '1') throw new Error(found.why);
    console.log(`      skipped: ${found.why}`);
    return undefined;
  }
  const { stdout } = await promisify(execFile)(
    found.node,
    // Types are stripped by default from 22.18 on.
    ['--experimental-strip-types', '--no-warnings', fileURLToPath(new URL(script, folder)), ...args],
    { maxBuffer: 2 ** 24 },
  );
  return JSON.parse(stdout);
}

const vectors = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`vectors/${name}.json`, folder), 'utf8'));

describe('the kernels in Node 22', function () {
  this.timeout(300_000);

  for (const threads of [1, 3]) {
    it(`every rule, step and rounding, threads: ${threads}`, async function () {
      const digests = await runInNode22('node22/exerciseHere.ts', String(threads));
      if (digests === undefined) return this.skip();
      expect(digests).to.deep.equal(await vectors('kernels'));
    });
  }

  it('training, every kind of model', async function () {
    const digests = await runInNode22('client/support/trainDigestsHere.ts');
    if (digests === undefined) return this.skip();
    expect(digests).to.deep.equal(await vectors('training'));
  });
});

/** The kernels in the V8 of Node 22 give the bits of plain TypeScript: `npm run test:node22`. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { findNode22 } from './node22.ts';

describe('the kernels in Node 22', function () {
  this.timeout(300_000);

  for (const threads of [1, 3]) {
    it(`every rule, step and rounding, threads: ${threads}`, async function () {
      const found = findNode22();
      if (found.node === undefined) {
        if (process.env.ASSAY_REQUIRE_NODE22 === '1') throw new Error(found.why);
        console.log(`      skipped: ${found.why}`);
        this.skip();
      }
      const script = fileURLToPath(new URL('./exerciseHere.ts', import.meta.url));
      const { stdout } = await promisify(execFile)(
        found.node,
        // Types are stripped by default from 22.18 on.
        ['--experimental-strip-types', '--no-warnings', script, String(threads)],
        { maxBuffer: 2 ** 24 },
      );
      const expected = JSON.parse(
        await readFile(new URL('../vectors/kernels.json', import.meta.url), 'utf8'),
      ) as unknown;
      expect(JSON.parse(stdout)).to.deep.equal(expected);
    });
  }
});

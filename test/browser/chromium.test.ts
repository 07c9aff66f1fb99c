/** The kernels in a real browser give the bits of plain TypeScript: `npm run test:browser`. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { build } from 'esbuild';
import { findChromium, runInChromium } from './chromium.ts';

const chromium = findChromium();

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['test/browser/page.ts'],
    absWorkingDir: new URL('../..', import.meta.url).pathname,
    bundle: true,
    write: false,
    platform: 'browser',
    conditions: ['default'],
    format: 'iife',
    target: 'es2022',
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}

describe('the kernels in Chromium', function () {
  this.timeout(120_000);

  for (const isolated of [true, false]) {
    it(`every rule, step and rounding, ${isolated ? 'on an isolated page' : 'on a page without isolation'}`, async function () {
      if (chromium === undefined) {
        if (process.env.ASSAY_REQUIRE_CHROMIUM === '1') throw new Error('there is no Chromium');
        console.log('      skipped: no Chromium on the PATH (ASSAY_CHROMIUM names one)');
        this.skip();
      }
      const expected = JSON.parse(
        await readFile(new URL('../vectors/kernels.json', import.meta.url), 'utf8'),
      ) as unknown;
      const got = await runInChromium(chromium, await bundle(), isolated);
      expect(got).to.deep.equal({ isolated, digests: expected });
    });
  }
});

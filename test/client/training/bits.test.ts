import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

describe('bits of training', () => {
  it('are the known ones for every kind of model, in two processes', async () => {
    const script = fileURLToPath(new URL('../support/trainDigestsHere.ts', import.meta.url));
    const run = async () => JSON.parse((await promisify(execFile)(process.execPath, [script])).stdout) as unknown;
    const known = JSON.parse(await readFile(new URL('../../vectors/training.json', import.meta.url), 'utf8')) as object;
    expect(await Promise.all([run(), run()])).to.deep.equal([known, known]);
    expect(Object.keys(known)).to.deep.equal(['mlp', 'cnn', 'lstm', 'transformer', 'vae']);
  });
});

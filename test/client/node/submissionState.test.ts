import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readMemory, writeMemory } from '../../../client/node/keptMemory.ts';
import {
  nextKept,
  readResidual,
  readSubmission,
  type SubmissionState,
  writeResidual,
  writeSubmission,
} from '../../../client/node/submissionState.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import { openStateFolder, type StateFolder } from '../../../storage/stateFolder.ts';
import { expectError } from '../support/expectError.ts';

const hash = (digit: string): Hex => `0x${digit.repeat(64)}`;

const STORED: SubmissionState = {
  round: 2,
  opening: 3,
  baseModelRoot: hash('1'),
  root: hash('2'),
  normSq: 2n ** 63n + 1n,
  cid: 'bafkreie2r5v42ohyn26ue6enubk76zydwocnqvpa52mi3gw53bawks3mey',
  salt: hash('3'),
  residualBefore: 'residual-1-1.f32',
  residualAfter: 'residual-2-3.f32',
  memoryBefore: null,
  memoryAfter: 'memory-2-3.safetensors',
  stage: 'stored',
};

describe('client node: what must not be forgotten between storing and revealing', () => {
  let folder: string;
  let state: StateFolder;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-submission-'));
    state = await openStateFolder(folder, { owner: 'test' });
  });
  afterEach(async () => {
    await state.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('comes back exactly, also numbers above 2^53; nobody else may read the salt', async () => {
    expect(await readSubmission(state)).to.equal(undefined);
    await writeSubmission(state, STORED);
    expect(await readSubmission(state)).to.deep.equal(STORED);
    expect((await stat(join(folder, 'submission.json'))).mode & 0o777).to.equal(0o600);
  });

  it('a state folder from before there was a memory is read as one without', async () => {
    const { memoryBefore: _before, memoryAfter: _after, ...old } = STORED;
    await writeFile(join(folder, 'submission.json'), JSON.stringify({ ...old, normSq: String(old.normSq) }));
    expect(await readSubmission(state)).to.deep.equal({ ...STORED, memoryAfter: null });
  });

  it('the next update starts from what a revealed one left, else from what it started from itself', () => {
    const before = { residual: 'residual-1-1.f32', memory: null };
    const after = { residual: 'residual-2-3.f32', memory: 'memory-2-3.safetensors' };
    expect(nextKept(undefined, 3)).to.deep.equal({ residual: null, memory: null });
    expect(nextKept(STORED, 3)).to.deep.equal(before);
    expect(nextKept({ ...STORED, stage: 'committed' }, 3)).to.deep.equal(before);
    expect(nextKept({ ...STORED, stage: 'revealed' }, 3)).to.deep.equal(after);
    expect(nextKept({ ...STORED, stage: 'revealed' }, 2), 'its round was opened again').to.deep.equal(before);
    expect(nextKept({ ...STORED, residualBefore: null }, 3).residual).to.equal(null);
  });

  it('a memory comes back as it was; it is removed with the submission that named it', async () => {
    const memory = { head: Float32Array.of(1, -2, 0.5), control: new Float32Array(7).fill(3) };
    await writeMemory(state, STORED.memoryAfter!, memory);
    expect(await readMemory(state, STORED.memoryAfter!)).to.deep.equal(memory);
    expect((await stat(join(folder, STORED.memoryAfter!))).mode & 0o777).to.equal(0o600);
    const files = async () => (await readdir(folder)).filter((name) => name.startsWith('memory'));
    await writeSubmission(state, STORED);
    await writeSubmission(state, { ...STORED, stage: 'revealed' });
    expect(await files()).to.deep.equal([STORED.memoryAfter]);
    await writeSubmission(state, { ...STORED, round: 3, memoryAfter: null });
    expect(await files()).to.deep.equal([]);
  });

  it('keeps both rounding errors until the reveal, and then only what it may still need', async () => {
    const values = Float32Array.of(0.25, -1e-7, 3);
    for (const name of [STORED.residualBefore!, STORED.residualAfter]) await writeResidual(state, name, values);
    const residuals = async () => (await readdir(folder)).filter((name) => name.startsWith('residual')).sort();
    await writeSubmission(state, STORED);
    await writeSubmission(state, { ...STORED, stage: 'revealed' });
    expect(await residuals()).to.deep.equal([STORED.residualBefore, STORED.residualAfter]);
    await writeResidual(state, 'residual-3-4.f32', values);
    await writeSubmission(state, {
      ...STORED,
      round: 3,
      opening: 4,
      residualBefore: STORED.residualAfter,
      residualAfter: 'residual-3-4.f32',
    });
    expect(await residuals()).to.deep.equal([STORED.residualAfter, 'residual-3-4.f32']);
    expect(await readResidual(state, STORED.residualAfter, 3)).to.deep.equal(values);
  });

  it('refuses a rounding error of another model, and a state that was changed by hand', async () => {
    await writeResidual(state, 'residual-1-1.f32', Float32Array.of(1, 2));
    await expectError(() => readResidual(state, 'residual-1-1.f32', 3), 'STATE_CORRUPT', /12 bytes[\s\S]*8 bytes/);
    for (const text of ['{"round": 1}', 'half a fi', JSON.stringify({ ...STORED, normSq: '1', salt: '0x12' })]) {
      await writeFile(join(folder, 'submission.json'), text);
      await expectError(() => readSubmission(state), 'STATE_CORRUPT', /submission\.json/);
    }
  });
});

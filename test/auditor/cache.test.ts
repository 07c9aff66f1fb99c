import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Hex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { bytesOf } from '../../protocol/encoding/vectors.ts';
import { parseRule } from '../../protocol/index.ts';
import { expectError } from '../client/support/expectError.ts';
import { auditWorld, buildWorld, rootOf, type World } from './fixtures/federation.ts';

describe('an audit that remembers', () => {
  let folder: string;
  let cachePath: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-cache-'));
  });
  beforeEach(() => {
    cachePath = join(folder, `${Math.random()}.json`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const rule = parseRule('trimmed-mean', 2);
  const verified = async (world: World) =>
    (await auditWorld(world, { cachePath })).rounds.map((round) => round.verified);

  it('does only new rounds the second time', async () => {
    const four = buildWorld({ rule, rounds: 4 });
    const three = { ...four, facts: firstRounds(four, 3) };
    expect(await verified(three)).to.deep.equal(['replayed', 'replayed', 'replayed']);
    four.payloads.clear(); // a remembered round needs no payload any more
    for (const [cid, bytes] of buildWorld({ rule, rounds: 4 }).payloads) four.payloads.set(cid, bytes);
    expect(await verified(four)).to.deep.equal(['remembered', 'remembered', 'remembered', 'replayed']);
    const report = await auditWorld(four, { cachePath });
    expect(report.ok).to.equal(true);
    expect(report.rounds.map(({ updates }) => updates)).to.deep.equal([7, 7, 7, 7]);
  });

  it('audits a round anew when a reorganisation moved it or it was published anew', async () => {
    const world = buildWorld({ rule, rounds: 3 });
    await verified(world);
    const moved: Hex = `0x${'77'.repeat(32)}`;
    const log = world.facts.logs.findLast(({ topics }) => topics[1] === topicOf(2))!; // its publication
    log.blockHash = moved;
    expect(await verified(world)).to.deep.equal(['remembered', 'replayed', 'replayed']); // 3 builds on 2
    const redone = buildWorld({
      rule,
      rounds: 3,
      hooks: {
        compute(draft) {
          if (draft.round !== 2) return;
          draft.model[5] = draft.model[5]! + 1;
          draft.roots.modelRoot = rootOf(world, draft.model);
        },
      },
    });
    const report = await auditWorld(redone, { cachePath });
    expect(report.rounds.map((round) => round.verified)).to.deep.equal(['remembered', 'replayed', 'replayed']);
    expect(report.findings.map(({ kind, round }) => [kind, round])).to.deep.equal([['modelMismatch', 2]]);
  });

  it('asks the chain anew: a node that hides an event from a remembered round contradicts its own state', async () => {
    const world = buildWorld({ rule, rounds: 3 });
    await verified(world);
    const state = world.facts.rounds[1]!;
    world.facts.rounds[1] = { ...state, phase: 'aggregate', modelRoot: ZERO_HASH, publicationHash: ZERO_HASH }; // void
    const report = await auditWorld(world, { cachePath });
    expect(report.ok).to.equal(false);
    expect(report.rounds.map((round) => round.verified)).to.deep.equal(['remembered', 'unverifiable', 'remembered']);
    expect(report.findings.map(({ kind }) => kind)).to.include('chainInconsistent');
  });

  it('never remembers a round that did not hold', async () => {
    const world = buildWorld({ rule, rounds: 2 });
    world.payloads.delete(payloadCid(bytesOf(world.models[2]!)));
    await verified(world);
    expect(await verified(world)).to.deep.equal(['remembered', 'replayed']);
  });

  it('takes a damaged, an older and an empty file for an empty one', async () => {
    const world = buildWorld({ rule, rounds: 1 });
    const whole = '{"format":"assay-audit-cache/3","rounds":{"0x":{}}}';
    for (const text of [whole, whole.slice(0, 40), whole.replace('/1', '/0'), '']) {
      await writeFile(cachePath, text);
      expect(await verified(world), text).to.deep.equal(['replayed']);
      expect(JSON.parse(await readFile(cachePath, 'utf8')).format).to.equal('assay-audit-cache/3');
      expect(await verified(world)).to.deep.equal(['remembered']);
    }
  });

  it('never overwrites what is no memory of an audit: a table, another JSON file, a folder', async () => {
    const world = buildWorld({ rule, rounds: 1 });
    for (const text of ['age,outcome\n61.9,1\n', '{"format":"assay-manifest/1"}', '[]']) {
      await writeFile(cachePath, text);
      await expectError(() => verified(world), 'AUDIT_MEMORY', /is not the memory of an audit[\s\S]*left as it is/);
      expect(await readFile(cachePath, 'utf8')).to.equal(text);
    }
    cachePath = folder;
    await expectError(() => verified(world), 'AUDIT_MEMORY', /EISDIR/);
  });
});

function firstRounds(world: World, rounds: number): World['facts'] {
  const { facts } = world;
  const end = facts.logs.findIndex(({ topics }) => topics[1] === topicOf(rounds + 1));
  return { ...facts, logs: facts.logs.slice(0, end), rounds: facts.rounds.slice(0, rounds), currentRound: rounds };
}

function topicOf(round: number): string {
  return `0x${round.toString(16).padStart(64, '0')}`;
}

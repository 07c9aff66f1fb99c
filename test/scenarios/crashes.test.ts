/** `kill -9` at every stage, start again: the node goes on where it was, sends nothing twice and loses nothing. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadSilo } from '../../client/datasets/loadSilo.ts';
import { PERSONAL_MODEL_FILE } from '../../client/node/personalModel.ts';
import { parsePersonalisation } from '../../client/personalisation/settings.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { holdOutOwn } from '../../scripts/node/ownData.ts';
import {
  openDesk,
  runAggregator,
  startAggregator,
  startParticipant,
  untilPhase,
  untilRevealed,
} from './support/inProcess.ts';
import { type AssayProcess, type Line, nodeArgs, nodeFolder, startAssay } from './support/processes.ts';
import { startProxy } from './support/proxy.ts';
import { ETHER, SLOW_MACHINE_MS, type TestFederation, until, useWorld, type World } from './support/world.ts';

/**
 * Nodes reach the chain through a proxy in this process: nothing that one asks after a line is answered before the line is
 * read, so a kill comes before the node's next step however slowly this process gets to read.
 *
 * Round r is the one in which the participant is killed at stage r: after a line of its own, or when the chain has taken a
 * transaction and the node does not know it yet.
 */
const STAGES = ['trained', 'stored', 'commit taken', 'committed', 'reveal taken', 'revealed'] as const;
const TABLE = [
  'a,b,c,d,label',
  ...Array.from({ length: 60 }, (_, i) => `${(i % 2) - 0.5},${(i % 7) / 7},${-(i % 3)},${Math.sin(i)},${i % 2}`),
].join('\n');

describe('scenario: nodes that are killed', function () {
  this.timeout(2 * SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** Starts a command again whenever it was killed, until it ends by itself; `onLine` does the killing. */
  async function untilDone(args: readonly string[], onLine: (line: Line, kill: () => void) => void) {
    const lives: AssayProcess[] = [];
    for (;;) {
      const life = startAssay(world, args, { onLine: (line, child) => onLine(line, () => child.kill('SIGKILL')) });
      lives.push(life);
      const { status, signal, stderr } = await life.ended;
      if (signal === 'SIGKILL') continue;
      expect(stderr).to.equal('');
      expect(status).to.equal(0);
      return lives;
    }
  }

  it('a participant killed after each of its steps: one commit and one reveal a round, and the same model as without', async () => {
    const rounds = STAGES.length + 1;
    const table = join(await world.newFolder('table'), 'silo.csv');
    await writeFile(table, TABLE);
    const dataset = `csv:${table}?label=label`;
    const others = async (fed: TestFederation) => {
      const nodes = [];
      for (const seed of ['left', 'right']) nodes.push(await startParticipant(world, fed, { seed }));
      return nodes;
    };

    // What scaffold and ditto keep from round to round must come through every kill as well.
    const changeManifest = (manifest: Manifest): Manifest => {
      const { localEpochs: _epochs, ...training } = manifest.training;
      return { ...manifest, training: { ...training, localSteps: 6, algorithm: { kind: 'scaffold' } } };
    };
    const personalise = parsePersonalisation('ditto?strength=0.5');
    const calm = await world.federation({ rounds, changeManifest });
    await startAggregator(world, calm);
    await others(calm);
    const silo = { dataset, partition: 'by-file', silo: 0, silos: 1, seed: 'assay', cacheFolder: world.folder };
    const own = holdOutOwn(await loadSilo({ ...silo, data: calm.manifest.data }), 0.2, 'assay');
    const trainer = createTrainer({ manifest: calm.manifest, ...own });
    world.test.add(() => trainer.close());
    const undisturbed = await startParticipant(world, calm, { seed: 'victim', change: { trainer, personalise } });
    await undisturbed.ended;

    const fed = await world.federation({ rounds, changeManifest });
    const aggregator = await startAggregator(world, fed);
    await others(fed);
    const victim = await nodeFolder(world, fed);
    const proxy = await startProxy(world.chain.url, world.test);
    const args = [
      'client',
      ...nodeArgs(world, fed, victim.folder, proxy.url),
      '--dataset',
      dataset,
      '--seed',
      'victim',
      '--personalise',
      'ditto?strength=0.5',
    ];
    const left = new Set<string>(STAGES);
    let killWhenTaken: (() => void) | undefined;
    proxy.swallowAnswers((method) => {
      if (method !== 'eth_sendRawTransaction' || killWhenTaken === undefined) return false;
      killWhenTaken();
      killWhenTaken = undefined;
      return true;
    });
    const lives = await untilDone(args, ({ type, round }, kill) => {
      const stage = STAGES[(round ?? 0) - 1];
      if (stage === undefined || !left.has(stage)) return;
      if (stage === type) kill();
      else if (stage === 'commit taken' && type === 'stored') killWhenTaken = kill;
      else if (stage === 'reveal taken' && type === 'committed') killWhenTaken = kill;
      else return;
      left.delete(stage);
    });
    expect([...left]).to.deep.equal([]);
    expect(lives, 'one life more than kills').to.have.length(STAGES.length + 1);
    await aggregator.waitFor('ended');

    const everyRound = Array.from({ length: rounds }, (_, i) => i + 1);
    for (const name of ['UpdateCommitted', 'UpdateRevealed'] as const) {
      const events = await fed.federation.events(name, { participant: victim.address });
      expect(
        events.map(({ args: { round } }) => Number(round)),
        name,
      ).to.deep.equal(everyRound);
    }
    expect((await fed.federation.participant(victim.address))?.stake).to.equal(ETHER);
    expect(await fed.federation.events('RevealMissed')).to.deep.equal([]);
    const resumed = lives.flatMap(({ lines }) => lines.filter(({ type }) => type === 'resumed'));
    // Between `trained` and `stored` it asks the chain nothing: the kill in round 1 may come after both.
    const later = resumed.filter(({ round }) => round !== 1);
    expect(later.map(({ round, stage }) => [round, stage])).to.deep.equal([[2, 'stored']]);
    for (const round of everyRound) {
      const [disturbed, reference] = [await fed.federation.round(round), await calm.federation.round(round)];
      expect(disturbed.modelRoot, `model of round ${round}`).to.equal(reference.modelRoot);
    }
    const personal = [victim.folder, undisturbed.folder].map((folder) => readFile(join(folder, PERSONAL_MODEL_FILE)));
    const [disturbed, reference] = await Promise.all(personal);
    expect(disturbed!.equals(reference!), 'the own model').to.equal(true);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('an aggregator killed while it collects, before and after it publishes: one publication a round, no missed turn', async () => {
    const fed = await world.federation({ rounds: 4, challengeWindow: 2, server: 'fedAvgM', serverMomentum: 0.5 });
    const node = await nodeFolder(world, fed);
    // By round. Where all reveal between two looks of the node, it has collected before it says that anybody revealed.
    const stages = [['revealed', 'collected'], ['collected'], ['finalized'], ['published']];
    const seen = new Set<unknown>();
    const proxy = await startProxy(world.chain.url, world.test);
    const args = ['aggregator', ...nodeArgs(world, fed, node.folder, proxy.url)];
    const killed = untilDone(args, ({ type, round }, kill) => {
      if (!stages[Number(round ?? 0) - 1]?.includes(type) || seen.has(round)) return;
      seen.add(round);
      kill();
    });
    await until('the aggregator', () => fed.federation.aggregator(node.address));
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed));
    const lives = await killed;
    expect(lives).to.have.length(stages.length + 1);
    const published = await fed.federation.events('RoundPublished');
    expect(published.map(({ args: { round } }) => Number(round))).to.deep.equal([1, 2, 3, 4]);
    expect(await fed.federation.events('TurnMissed')).to.deep.equal([]);
    expect(await fed.federation.lastFinalRound()).to.equal(4);
    await openDesk(world, fed, 'aggregator', { signer: node.signer, folder: node.folder }); // serves its payloads again
    const report = await world.audit(fed);
    expect(report.findings).to.deep.equal([]);
    expect(report.rounds.map(({ updates }) => updates)).to.deep.equal([3, 3, 3, 3]);
  });

  it('a leader that is killed for good: the next aggregator takes the turn', async () => {
    const fed = await world.federation({ rounds: 2 });
    const leader = await nodeFolder(world, fed);
    const process = startAssay(world, ['aggregator', ...nodeArgs(world, fed, leader.folder)]);
    await process.waitFor('registered');
    const next = await openDesk(world, fed, 'aggregator');
    // The last one commits when the leader is gone: it could publish before that otherwise.
    const dead = Promise.withResolvers<void>();
    for (let i = 0; i < 3; i++) await startParticipant(world, fed, i < 2 ? {} : { onTrain: () => dead.promise });
    world.test.add(dead.resolve);
    const working = runAggregator(world, next);
    await untilPhase(fed, 1, 'commit');
    const { signal, stderr } = await process.kill();
    expect(signal, stderr).to.equal('SIGKILL');
    dead.resolve();
    await untilPhase(fed, 1, 'aggregate');
    await world.passDeadline(fed, 1);
    expect((await working.waitFor('published', 1)).turn).to.equal(1);
    expect((await working.waitFor('published', 2)).turn).to.equal(0);
    const missed = await fed.federation.events('TurnMissed');
    expect(missed.map(({ args: { aggregator, penalty } }) => [aggregator, penalty])).to.deep.equal([
      [leader.address, ETHER / 5n],
    ]);
    expect((await fed.federation.aggregator(leader.address))?.stake).to.equal(10n * ETHER - ETHER / 5n);
  });

  it('a participant killed after its commit: the round goes on, it pays, and its restart takes part again', async () => {
    const fed = await world.federation({ rounds: 3 });
    const aggregator = await startAggregator(world, fed);
    const table = join(await world.newFolder('table'), 'silo.csv');
    await writeFile(table, TABLE);
    const victim = await nodeFolder(world, fed);
    const round3 = Promise.withResolvers<void>();
    for (let i = 0; i < 2; i++) {
      await startParticipant(world, fed, {
        onTrain: async ({ round }) => {
          if (Number(round) === 3) await round3.promise;
        },
      });
    }
    world.test.add(round3.resolve);
    const proxy = await startProxy(world.chain.url, world.test);
    const args = ['client', ...nodeArgs(world, fed, victim.folder, proxy.url), '--dataset', `csv:${table}?label=label`];
    const process = startAssay(world, args, {
      onLine({ type }, child) {
        if (type === 'committed') child.kill('SIGKILL');
      },
    });
    await process.ended;
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(2);
    expect((await aggregator.waitFor('penalised', 1)).participant).to.equal(victim.address);
    expect((await fed.federation.participant(victim.address))?.stake).to.equal((ETHER * 9n) / 10n);
    const again = startAssay(world, args);
    await again.waitFor('registered');
    expect((await fed.federation.participant(victim.address))?.stake).to.equal(ETHER);
    await aggregator.waitFor('published', 2);
    await again.waitFor('committed', 3);
    round3.resolve();
    expect((await aggregator.waitFor('published', 3)).updates).to.equal(3);
    expect((await again.ended).status).to.equal(0);
    expect((await world.audit(fed)).ok).to.equal(true);
  });
});

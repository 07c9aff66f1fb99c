/** A watchtower on a real chain, as the process that users run, beside the real nodes. */
import { join } from 'node:path';
import { expect } from 'chai';
import { generatePrivateKey } from 'viem/accounts';
import { createKeystore } from '../../../chain/keystore.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import { startGateway } from '../../../storage/gateway.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { expectFields, factsExample, readFacts } from '../../docs/factsExamples.ts';
import { runAggregator, startAggregator, startParticipant } from '../../scenarios/support/inProcess.ts';
import { type AssayProcess, startAssay } from '../../scenarios/support/processes.ts';
import {
  ETHER,
  SLOW_MACHINE_MS,
  type TestFederation,
  until,
  useWorld,
  type World,
} from '../../scenarios/support/world.ts';

/** A port at which nobody answers. */
const NOWHERE = 'http://127.0.0.1:9';

describe('a watchtower', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  interface Tower {
    readonly folder: string;
    readonly address: Hex;
    start(fed: TestFederation, ...more: string[]): AssayProcess;
  }

  async function newTower(): Promise<Tower> {
    const folder = await world.newFolder('watch');
    const privateKey = generatePrivateKey();
    const signer = await world.signer({ privateKey });
    await createKeystore(join(folder, 'keystore.json'), 'scenario', { light: true, privateKey });
    const start = (fed: TestFederation, ...more: string[]) => {
      const place = ['--rpc-url', world.chain.url, '--federation', fed.address, '--state', folder];
      return startAssay(world, ['watch', ...place, '--log', 'json', '--poll-ms', '100', '--patience', '0', ...more]);
    };
    return { folder, address: signer.account.address.toLowerCase() as Hex, start };
  }

  /** The documents of a federation, which the node that deploys serves. */
  async function serveDocuments(fed: TestFederation): Promise<string> {
    const store = await openPayloadStore(await world.newFolder('documents'));
    for (const document of fed.documents) await store.put(document);
    const gateway = await startGateway({ store });
    world.test.add(() => gateway.close());
    return gateway.url;
  }

  it('convicts a lying aggregator within its window; the next one publishes the right model', async () => {
    const fed = await world.federation({ rounds: 1, challengeWindow: 300 });
    const tower = await newTower();
    const watching = tower.start(fed, '--exit');
    const liar = await startAggregator(world, fed, {
      change: {
        sabotage(_, model) {
          model[100] = model[100]! - 1;
        },
      },
    });
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    const account = liar.signer.account.address.toLowerCase();
    const convicted = await watching.waitFor('convicted', 1);
    expect(convicted).to.include({ proof: 'badCoordinate', role: 'aggregator', accused: account });
    expect(convicted.reward).to.equal(String(5n * ETHER));
    await liar.stop();
    const honest = await startAggregator(world, fed);
    await honest.waitFor('published', 1);
    const audited = () => watching.lines.filter(({ type }) => type === 'audited');
    await until('an audit of each publication', () => audited().length === 2);
    await world.passDeadline(fed, 1);
    const { status } = await watching.ended;
    expect(status).to.equal(0);
    expect(watching.lines.map(({ type }) => type)).to.include.members(['watching', 'proven', 'slashed', 'ended']);
    expect(audited().map(({ ok }) => ok)).to.deep.equal([false, true]);
    const report = await world.audit(fed);
    expect(report.ok).to.equal(true);
    expect(report.rounds[0]?.phase).to.equal('final');
  });

  it('asks for a model that is withheld, is killed, and settles after its restart: the aggregator falls', async () => {
    const fed = await world.federation({ rounds: 1, challengeWindow: 300, answerWindow: 300 });
    const tower = await newTower();
    const documents = await serveDocuments(fed);
    const hiding = await startAggregator(world, fed, { gatewayUrl: NOWHERE });
    for (let i = 0; i < 3; i++) await startParticipant(world, fed, { sources: { peer: [documents] } });
    await hiding.waitFor('published', 1);
    await hiding.pause();
    const first = tower.start(fed, '--gateway', documents);
    const asked = await first.waitFor('asked', 1);
    expect(asked).to.include({ kind: 'model', chunk: 0, owner: hiding.signer.account.address.toLowerCase() });
    await first.kill('SIGKILL');
    const second = tower.start(fed, '--gateway', documents);
    await second.waitFor('watching');
    await world.passTime(300);
    const convicted = await second.waitFor('convicted', 1);
    expect(convicted).to.include({ proof: 'unavailable', role: 'aggregator' });
    expect(second.lines.filter(({ type }) => type === 'asked')).to.deep.equal([]);
    const { status } = await second.kill('SIGINT');
    expect(status).to.equal(0);
    expect((await fed.federation.round(1)).phase).to.equal('aggregate');
  });

  it('takes an answer from whoever has the bytes: another watchtower earns the bond, nobody falls', async () => {
    const fed = await world.federation({ rounds: 1, challengeWindow: 300, answerWindow: 300 });
    const documents = await serveDocuments(fed);
    const hiding = await startAggregator(world, fed, { gatewayUrl: NOWHERE });
    for (let i = 0; i < 3; i++) await startParticipant(world, fed, { sources: { peer: [documents] } });
    await hiding.waitFor('published', 1);
    await hiding.pause();
    const asking = await newTower();
    const answering = await newTower();
    const asks = asking.start(fed, '--gateway', documents);
    const answers = answering.start(fed, '--gateway', documents, '--gateway', hiding.gateway.url, '--answer');
    await asks.waitFor('asked', 1);
    await world.passTime(150); // for half of its time to answer the owner comes first
    const answered = await answers.waitFor('answered', 1);
    const came = await asks.waitFor('answerCame', 1);
    expect(came).to.include({ id: answered.id, kind: 'model', chunk: 0, payee: answering.address });
    // Nothing more is asked, and once the hold is over the round becomes final.
    await world.passDeadline(fed, 1);
    runAggregator(world, hiding);
    await until('round 1 to be final', async () => (await fed.federation.lastFinalRound()) === 1);
    expect(asks.lines.filter(({ type }) => type === 'asked').length).to.equal(1);
    expect(asks.lines.filter(({ type }) => type === 'convicted')).to.deep.equal([]);
  });

  it('finds nothing to do in an honest federation', async () => {
    // A window that a busy machine does not outlast: what is final before it is seen needs no watching.
    const fed = await world.federation({ rounds: 2, challengeWindow: 6 });
    const tower = await newTower();
    const facts = join(tower.folder, 'facts.json');
    const watching = tower.start(fed, '--exit', '--json', facts);
    await watching.waitFor('watching');
    await startAggregator(world, fed);
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    expect((await watching.ended).status).to.equal(0);
    expectFields(await readFacts(facts), factsExample('watch'), 'watch');
    const types = new Set(watching.lines.map(({ type }) => type));
    expect([...types].sort()).to.deep.equal(['audited', 'ended', 'watching']);
    expect(watching.lines.filter(({ type, ok }) => type === 'audited' && ok === true).length).to.be.within(1, 2);
  });
});

/**
 * From a lie to a slashed stake on a real chain: the audit writes the proof, `accuse` brings it before the contract. The
 * nodes are the real ones; the liar's part is done by hand or by its sabotage hook.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { generatePrivateKey } from 'viem/accounts';
import { auditFederation } from '../../../auditor/auditFederation.ts';
import { accuse } from '../../../auditor/disputes/accuse.ts';
import { createKeystore } from '../../../chain/keystore.ts';
import type { BadCoordinateProof } from '../../../protocol/dispute/badCoordinate.ts';
import { parseProofFile } from '../../../protocol/dispute/proofFile.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { expectFields, factsExample } from '../../docs/factsExamples.ts';
import {
  commitByHand,
  craftUpdate,
  openDesk,
  startAggregator,
  startParticipant,
  untilPhase,
} from '../../scenarios/support/inProcess.ts';
import { startAssay } from '../../scenarios/support/processes.ts';
import {
  ETHER,
  type FederationWish,
  SLOW_MACHINE_MS,
  type TestFederation,
  until,
  useWorld,
  type World,
} from '../../scenarios/support/world.ts';
import { lowerNorm } from '../fixtures/lies.ts';

describe('a fraud brought before the contract', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** Time for the audit, the accusation, and everything that a busy machine puts between them. */
  const wish: FederationWish = { challengeWindow: 300, rounds: 1 };

  async function proofsOf(fed: TestFederation): Promise<string[]> {
    const proofFolder = await world.newFolder('proofs');
    const rpcUrl = world.chain.url;
    const report = await auditFederation({ rpcUrl, federation: fed.address, gateways: [], threads: 1, proofFolder });
    return report.findings.flatMap(({ proof }) => (proof === null ? [] : [proof]));
  }

  async function accuser(): Promise<Hex> {
    const privateKey = generatePrivateKey();
    await world.signer({ privateKey });
    return privateKey;
  }

  async function failure(promise: Promise<unknown>): Promise<AssayError> {
    const error = await promise.then(
      () => new Error('it passed'),
      (e: unknown) => e,
    );
    expect(error).to.be.instanceOf(AssayError);
    return error as AssayError;
  }

  it('one wrong coordinate: the aggregator loses its stake and the round its model', async () => {
    const fed = await world.federation(wish);
    const liar = await startAggregator(world, fed, {
      change: {
        sabotage(_, model) {
          model[321] = model[321]! + 1;
        },
      },
    });
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    await liar.waitFor('published', 1);
    await liar.pause();
    const [path] = await proofsOf(fed);
    const file = parseProofFile(await readFile(path!));
    const { proof } = file;
    expect(proof).to.include({ kind: 'badCoordinate', chunk: 1, coordinate: 321 - 256 });
    const rpcUrl = world.chain.url;

    // What opens a right number is refused here: it would lose its bond.
    const other: BadCoordinateProof = { ...(proof as BadCoordinateProof), coordinate: 5 };
    const privateKey = await accuser();
    expect((await failure(accuse({ rpcUrl, privateKey, file: { ...file, proof: other } }))).code).to.equal(
      'PROOF_INNOCENT',
    );
    // What does not open is not even that.
    const broken: BadCoordinateProof = { ...other, newModel: other.newModel.map((byte) => byte ^ 1) };
    expect((await failure(accuse({ rpcUrl, privateKey, file: { ...file, proof: broken } }))).code).to.equal(
      'PROOF_MALFORMED',
    );
    const forced = await accuse({ rpcUrl, privateKey, file: { ...file, proof: other }, force: true });
    expect(forced).to.include({ verdict: 'rejected', accused: liar.signer.account.address.toLowerCase() });

    const { verdict, role, reward, burned, gasUsed } = await accuse({ rpcUrl, privateKey, file });
    expect([verdict, role]).to.deep.equal(['convicted', 'aggregator']);
    expect([reward, burned]).to.deep.equal([5n * ETHER, 5n * ETHER]);
    expect(Number(gasUsed)).to.be.within(100_000, 1_500_000);
    expect((await fed.federation.round(1)).phase).to.equal('aggregate');
    // The proof is spent: it speaks of a publication that is no more.
    expect((await failure(accuse({ rpcUrl, privateKey, file }))).code).to.equal('PROOF_MALFORMED');
    const report = await world.audit(fed);
    expect(report.findings).to.deep.equal([]);
  });

  it('a norm that lies: the participant loses its stake, through the command line', async () => {
    const fed = await world.federation({
      ...wish,
      participants: 4,
      changeParameters: (p) => ({ ...p, minUpdates: 3 }),
    });
    await openDesk(world, fed, 'aggregator'); // takes its turn, and never publishes
    const desk = await openDesk(world, fed, 'participant');
    const lie = lowerNorm(
      craftUpdate(fed, (i) => (i % 7) - 3),
      fed,
    );
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    const { reveal } = await commitByHand(desk, 1, lie);
    await reveal();
    await untilPhase(fed, 1, 'aggregate');
    // Nobody has published: the proof comes from a round that is still open to it.
    const [path] = await proofsOf(fed);
    expect(path).to.match(/badSum-round-1\.proof\.json$/);
    const folder = await world.newFolder('accuser');
    const keystore = join(folder, 'keystore.json');
    await createKeystore(keystore, 'scenario', { light: true, privateKey: await accuser() });
    const facts = join(folder, 'dispute.json');
    const run = startAssay(world, [
      'dispute',
      path!,
      '--rpc-url',
      world.chain.url,
      '--keystore',
      keystore,
      '--json',
      facts,
    ]);
    const { status, stderr } = await run.ended;
    expect(status, stderr).to.equal(0);
    const written = JSON.parse(await readFile(facts, 'utf8')) as Record<string, unknown>;
    expect(written).to.include({
      command: 'dispute',
      proof: 'badSum',
      round: 1,
      verdict: 'convicted',
      role: 'participant',
    });
    expectFields(written, factsExample('dispute'), 'dispute');
    expect(written).to.include({ reward: String(ETHER / 2n), burned: String(ETHER / 2n) });
    const view = await until('the submission to be void', async () => {
      const state = await fed.federation.round(1);
      return state.voidedBitmap === 0n ? undefined : state;
    });
    expect(view.voidedBitmap).to.equal(1n);
  });

  it('a file that is none is refused before anything else', async () => {
    const folder = await world.newFolder('none');
    const path = join(folder, 'none.json');
    await writeFile(path, '{"format":"assay-proof/1"}');
    const { status, stderr } = await startAssay(world, ['dispute', path, '--keystore', 'nowhere.json']).ended;
    expect(status).to.equal(1);
    expect(stderr).to.contain('the proof file is wrong at');
  });
});

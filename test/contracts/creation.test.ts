/** The factory: what a federation may be. Impossible parameters are refused here, not when a round fails. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import hre from 'hardhat';
import { createPublicClient, type Hex, http, parseEventLogs, zeroAddress } from 'viem';
import { federationFactoryAbi } from '../../chain/abi/federationFactory.ts';
import { fromRule } from '../../chain/convert.ts';
import { deployAssay, MODULES } from '../../chain/deploy.ts';
import AssayModule from '../../ignition/modules/Assay.ts';
import { COMBINES, PRE_AGGREGATIONS } from '../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS } from '../../protocol/aggregation/serverStep.ts';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';
import { renderAbiFiles } from '../../scripts/generateAbi.ts';
import { ruleOf } from '../protocol/support/ruleOf.ts';
import {
  baseParameters,
  cidOf,
  expectRevert,
  type Parameters,
  Phase,
  STAKE,
  World,
  zeroHash,
} from './support/world.ts';

describe('creating a federation', () => {
  let world: World;
  before(async () => {
    world = await World.create({ participants: 0, aggregators: 0 });
  });
  after(() => world.close());

  it('makes a clone that its creator owns, with the parameters it was given', async () => {
    expect(await world.read('owner')).to.match(new RegExp(world.wallets[0]!.account.address, 'i'));
    expect(await world.read('parameters')).to.deep.equal(baseParameters);
    expect(await world.currentRound()).to.equal(0);
    expect(await world.phase(1)).to.equal(Phase.None);
  });

  it('announces it, and the factory knows its own', async () => {
    expect(await world.readFactory('isFederation', [world.federation])).to.equal(true);
    expect(await world.readFactory('isFederation', [world.factory])).to.equal(false);
    const { logs } = await world.requestFederation();
    const [event] = parseEventLogs({ abi: federationFactoryAbi, eventName: 'FederationCreated', logs });
    expect(event?.args.manifestCid).to.equal(baseParameters.manifestCid);
    expect(event?.args.creator).to.match(new RegExp(world.wallets[0]!.account.address, 'i'));
  });

  it('C-67: neither a clone nor the implementation can be initialized again; nothing delegates to an empty address', async () => {
    const args = [baseParameters, world.wallets[5]!.account.address, []];
    await expectRevert(world.send(world.wallets[5]!, 'initialize', args), 'InvalidInitialization');
    const { viem } = world.connection;
    const implementation = (await world.readFactory('implementation')) as Hex;
    const direct = world.sendTo(implementation, world.abi, world.wallets[5]!, 'initialize', args);
    await expectRevert(direct, 'InvalidInitialization');
    const relay = (await viem.deployContract('FederationRelay')).address;
    const none = {
      membership: relay,
      relay,
      proofs: relay,
      gramProofs: relay,
      availability: relay,
      rewards: relay,
      views: zeroAddress,
    };
    for (const attempt of [
      () => viem.deployContract('Federation', [none]),
      () => viem.deployContract('FederationFactory', [zeroAddress]),
    ]) {
      let failure = '';
      await attempt().catch((error: Error) => {
        failure = error.message;
      });
      expect(failure).to.contain('NoCode');
    }
  });

  it('C-68: refuses coin that names no action, and a question nobody knows', async () => {
    const wallet = world.wallets[1]!;
    for (const data of ['0x', '0x12345678'] as const) {
      for (const value of [1n, 0n]) {
        if (data === '0x' && value === 0n) continue;
        let refused = false;
        await wallet.sendTransaction({ to: world.federation, value, data }).catch(() => {
          refused = true;
        });
        expect(refused, `${data} with ${value} wei`).to.equal(true);
      }
    }
  });

  const plain = { optimizer: 0, learningRateQ16: 65536, momentumQ16: 0, secondMomentQ16: 0, adaptivity: 0 };
  const adam = { optimizer: 3, learningRateQ16: 65536, momentumQ16: 58982, secondMomentQ16: 64881, adaptivity: 1 };
  const impossible: [string, Partial<Parameters>, string, unknown[]?][] = [
    ['C-25 a CID of the wrong length', { manifestCid: '0x0155' }, 'InvalidCid'],
    ['C-25 a CIDv0', { genesisModelCid: `0x${'12'.repeat(36)}` }, 'InvalidCid'],
    [
      'C-25 a CID with another hash',
      { genesisModelCid: cidOf('x').replace('0x01551220', '0x01551320') as Hex },
      'InvalidCid',
    ],
    ['C-62 a zero model root', { genesisModelRoot: zeroHash }, 'ZeroGenesisModelRoot'],
    ['C-63 no coordinates', { dimension: 0n }, 'ParameterOutOfRange', ['dimension', 0n, 1n, 2n ** 32n]],
    ['C-63 too many coordinates', { dimension: 2n ** 32n + 1n }, 'ParameterOutOfRange'],
    ['C-63 a chunk size that is no power of two', { chunkSize: 255 }, 'ChunkSizeNotPowerOfTwo', [255]],
    ['C-63 tiny chunks', { chunkSize: 8 }, 'ParameterOutOfRange'],
    ['C-63 huge chunks', { chunkSize: 8192 }, 'ParameterOutOfRange'],
    ['C-63 more update than model bits', { updateFractionBits: 25 }, 'ParameterOutOfRange'],
    ['C-63 bits too far apart', { updateFractionBits: 7 }, 'ParameterOutOfRange'],
    ['C-63 too many model bits', { modelFractionBits: 31 }, 'ParameterOutOfRange'],
    ['C-63 a norm bound of zero', { normSqBound: 0n }, 'ParameterOutOfRange'],
    ['C-64 fewer updates than trimming needs', { minUpdates: 2 }, 'ParameterOutOfRange', ['minUpdates', 2n, 3n, 4n]],
    ['C-64 more updates than participants', { minUpdates: 5 }, 'ParameterOutOfRange'],
    [
      'C-96 chunks of which a hundred do not fit in one proof',
      { chunkSize: 2048, maxParticipants: 51 },
      'ParameterOutOfRange',
      ['chunkSize', 2048n, 16n, 2007n],
    ],
    ['C-69 an aggregator with more than everything', { aggregatorRewardBps: 10_001 }, 'ParameterOutOfRange'],
    ['C-69 scores of more than everything', { contributionRewardBps: 10_001 }, 'ParameterOutOfRange'],
    [
      'C-69 scores without a Gram matrix',
      { contributionRewardBps: 1, rule: fromRule(ruleOf('none', 'trimmedMean', 1)) },
      'ParameterOutOfRange',
      ['contributionRewardBps', 1n, 0n, 0n],
    ],
    ['C-64 more than 100 participants', { maxParticipants: 101 }, 'ParameterOutOfRange'],
    ['C-64 more participants at the start than at most', { minParticipants: 11 }, 'ParameterOutOfRange'],
    [
      'C-60 Krum with a median',
      { rule: fromRule(ruleOf('multiKrum', 'median', 0)) },
      'ImpossibleRule',
      [1, 1, 0, 'a mean after a stage that ends in one row'],
    ],
    ['C-60 m without Krum', { rule: fromRule(ruleOf('none', 'mean', 0, 1)) }, 'ImpossibleRule'],
    ['C-60 f that nobody can satisfy', { rule: fromRule(ruleOf('none', 'median', 50)) }, 'ImpossibleRule'],
    [
      'C-64 Krum with too few updates',
      { rule: fromRule(ruleOf('multiKrum', 'mean', 1, 1)) },
      'ParameterOutOfRange',
      ['minUpdates', 3n, 5n, 4n],
    ],
    [
      'C-156 a trusted participant that there cannot be',
      { enforced: false, rule: { ...fromRule(ruleOf('flTrust', 'mean', 1)), referenceIndex: 10 } },
      'ParameterOutOfRange',
      ['referenceIndex', 10n, 0n, 9n],
    ],
    [
      'C-61 a learning rate of zero',
      { serverStep: { optimizer: 0, learningRateQ16: 0, momentumQ16: 0, secondMomentQ16: 0, adaptivity: 0 } },
      'ImpossibleServerStep',
    ],
    [
      'C-61 a learning rate above 16',
      {
        serverStep: {
          optimizer: 0,
          learningRateQ16: 16 * 65536 + 1,
          momentumQ16: 0,
          secondMomentQ16: 0,
          adaptivity: 0,
        },
      },
      'ImpossibleServerStep',
    ],
    [
      'C-61 momentum for FedAvg',
      { serverStep: { optimizer: 0, learningRateQ16: 1, momentumQ16: 1, secondMomentQ16: 0, adaptivity: 0 } },
      'ImpossibleServerStep',
    ],
    [
      'C-61 momentum of one',
      { serverStep: { optimizer: 1, learningRateQ16: 1, momentumQ16: 65536, secondMomentQ16: 0, adaptivity: 0 } },
      'ImpossibleServerStep',
    ],
    [
      'C-61 a second moment for FedAvgM',
      { serverStep: { ...adam, optimizer: 1, adaptivity: 0 } },
      'ImpossibleServerStep',
      [1, 65536, 58982, 64881, 0],
    ],
    ['C-61 a second moment of one', { serverStep: { ...adam, secondMomentQ16: 65536 } }, 'ImpossibleServerStep'],
    ['C-61 a second moment for FedAdagrad', { serverStep: { ...adam, optimizer: 2 } }, 'ImpossibleServerStep'],
    ['C-61 FedAdam with nothing to divide by', { serverStep: { ...adam, adaptivity: 0 } }, 'ImpossibleServerStep'],
    ['C-61 adaptivity for FedAvg', { serverStep: { ...plain, adaptivity: 1 } }, 'ImpossibleServerStep'],
    ['C-65 a penalty above the stake', { missedRevealPenalty: STAKE + 1n }, 'ParameterOutOfRange'],
    ['C-65 a turn penalty above the stake', { missedTurnPenalty: 2n * STAKE + 1n }, 'ParameterOutOfRange'],
    ['C-66 no commit window', { commitWindowSeconds: 0 }, 'ParameterOutOfRange'],
    ['C-66 no reveal window', { revealWindowSeconds: 0 }, 'ParameterOutOfRange'],
    ['C-66 no turn', { aggregateWindowSeconds: 0 }, 'ParameterOutOfRange'],
    ['C-66 no challenge window', { challengeWindowSeconds: 0 }, 'ParameterOutOfRange'],
    ['C-66 a delay of more than a year', { withdrawalDelaySeconds: 366 * 86400 }, 'ParameterOutOfRange'],
  ];
  for (const [what, parameters, error, args] of impossible) {
    it(`refuses ${what}`, () => expectRevert(world.requestFederation(parameters), error, args));
  }

  it('accepts Krum, Multi-Krum and every edge of a range', async () => {
    const krum = fromRule(ruleOf('multiKrum', 'mean', 1, 1));
    await world.createFederation({ rule: krum, minUpdates: 5, minParticipants: 5 });
    await world.createFederation({ rule: { ...krum, selected: 8 }, minUpdates: 9, minParticipants: 9 });
    await world.createFederation({
      chunkSize: 16,
      modelFractionBits: 30,
      updateFractionBits: 14,
      dimension: 2n ** 32n,
    });
    await world.createFederation({ maxParticipants: 100, participantStake: 0n, missedRevealPenalty: 0n });
    await world.createFederation({
      serverStep: { optimizer: 1, learningRateQ16: 16 * 65536, momentumQ16: 65535, secondMomentQ16: 0, adaptivity: 0 },
    });
    for (const optimizer of [2, 3, 4]) {
      const edge = { optimizer, momentumQ16: 65535, secondMomentQ16: optimizer === 2 ? 0 : 65535 };
      await world.createFederation({ serverStep: { ...plain, ...edge, adaptivity: 2 ** 32 - 1 } });
      await world.createFederation({ serverStep: { ...plain, optimizer, adaptivity: 1 } });
    }
  });
});

describe('names and encodings', () => {
  it('the Solidity enums are the TypeScript unions, in the same order', () => {
    const members = (file: string, name: string) => {
      const source = readFileSync(new URL(`../../contracts/types/${file}.sol`, import.meta.url), 'utf8');
      const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
      return body.split(',').map((word) => word.trim().replace(/^./, (letter) => letter.toLowerCase()));
    };
    expect(members('Round', 'RoundPhase')).to.deep.equal([...ROUND_PHASES]);
    expect(members('FederationParameters', 'PreAggregation')).to.deep.equal([...PRE_AGGREGATIONS]);
    expect(members('FederationParameters', 'Combine')).to.deep.equal([...COMBINES]);
    expect(members('FederationParameters', 'ServerOptimizer')).to.deep.equal([...SERVER_OPTIMIZERS]);
  });

  it('chain/abi is what the contracts compile to', async function () {
    this.timeout(300_000); // compiles them where nobody has yet
    for (const { file, text } of await renderAbiFiles()) {
      expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'), file).to.equal(text);
    }
  });

  it('no contract is larger than EIP-170 allows', async () => {
    for (const contract of ['Federation', 'FederationFactory', ...Object.values(MODULES)]) {
      const { deployedBytecode } = await hre.artifacts.readArtifact(contract);
      expect((deployedBytecode.length - 2) / 2, contract).to.be.below(24_576);
    }
  });
});

describe('deployment', () => {
  it('the Ignition module and deployAssay put the same code on the chain', async () => {
    const server = await hre.network.createServer('default', '127.0.0.1', 0);
    const { address, port } = await server.listen();
    const connection = await hre.network.create();
    try {
      const rpcUrl = `http://${address}:${port}`;
      const privateKey = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
      const ours = await deployAssay({ rpcUrl, privateKey });
      expect(ours.transactionHashes).to.have.length(9);
      expect(ours.chainId).to.equal(31337);
      const modules: Record<string, { address: Hex }> = await connection.ignition.deploy(AssayModule);
      const local = await connection.viem.getPublicClient();
      const remote = createPublicClient({ transport: http(rpcUrl) });
      // Immutables hold addresses; both deployments start from the same account and nonce, so even those agree.
      for (const [role, address] of Object.entries({
        ...ours.modules,
        implementation: ours.implementation,
        factory: ours.factory,
      })) {
        const code = await remote.getCode({ address });
        expect(code, role).to.equal(await local.getCode({ address: modules[role]!.address }));
        expect(code?.length, role).to.be.above(200);
      }
    } finally {
      await connection.close();
      await server.close();
    }
  });
});

/**
 * What an availability answer costs whoever gives it, alone in its transaction and with bytes that are all non-zero
 * (EIP-7623: 40 gas each), against what the contract makes the challenger put down for it: `answerGas` times a price.
 * The trees are one real chunk under made-up siblings: an answer's cost knows nothing of the others.
 */
import { expect } from 'chai';
import { type Hex, toHex } from 'viem';
import { fromServerStep } from '../../chain/convert.ts';
import { type ServerStep, stateVectors } from '../../protocol/aggregation/serverStep.ts';
import { gramMatrixHash } from '../../protocol/commitment/gramTree.ts';
import { modelLeaf } from '../../protocol/commitment/merkle.ts';
import { updateLeaf } from '../../protocol/commitment/merkleSum.ts';
import {
  foldGramPath,
  foldModelPath,
  foldSumPath,
  packGramPath,
  packSumPath,
} from '../../protocol/commitment/openings.ts';
import { sha256 } from '../../protocol/commitment/sha256.node.ts';
import { concatBytes } from '../../protocol/encoding/bytes.ts';
import { stateLayout, treeDepth, type VectorLayout, vectorLayout } from '../../protocol/encoding/layout.ts';
import { Kind, RealWorld, type Wallet } from './support/asking.ts';
import { packTriangle, Randomness } from './support/openings.ts';
import { type Parameters, type Update, World } from './support/world.ts';

const TRANSACTION_CAP = 16_777_216n;
/** Paid in vain: by how much the formula may lie above what was measured. */
const SLACK = 1.2;
const PEOPLE = 100;
/** The step with the most state. */
const YOGI: ServerStep = {
  optimizer: 'fedYogi',
  learningRateQ16: 65_536,
  momentumQ16: 32_768,
  secondMomentQ16: 64_881,
  adaptivity: 16_777,
};

const random = new Randomness(11);
/** Bytes none of which is zero. */
const dense = (length: number) => Uint8Array.from({ length }, () => random.between(1, 255));

/** Chunk 0 of a vector of this layout, and the root that some siblings lead to. */
function someUpdate(layout: VectorLayout): { opening: Uint8Array; root: Hex; normSq: bigint } {
  const chunk = dense(2 * layout.chunkSize);
  const path = Array.from({ length: layout.depth }, () => ({
    hash: dense(32),
    sum: new DataView(dense(8).buffer).getBigUint64(0) >> 8n,
  }));
  const { hash, sum } = foldSumPath(updateLeaf(chunk), 0, path)!;
  return { opening: concatBytes(chunk, packSumPath(path)), root: toHex(hash), normSq: sum };
}

function someModel(layout: VectorLayout): { opening: Uint8Array; root: Hex } {
  const chunk = dense(4 * layout.chunkSize);
  const path = Array.from({ length: layout.depth }, () => dense(32));
  return { opening: concatBytes(chunk, ...path), root: toHex(foldModelPath(modelLeaf(chunk), 0, path)!) };
}

function someGram(layout: VectorLayout, n: number): { opening: Uint8Array; root: Hex } {
  const entries = BigInt64Array.from({ length: (n * (n + 1)) / 2 }, () => new DataView(dense(8).buffer).getBigInt64(0));
  const path = Array.from({ length: treeDepth(Math.ceil(layout.chunkCount / 16)) }, () => ({
    sibling: { hash: dense(32), matrixHash: dense(32) },
    claimed: dense(32),
  }));
  const leaf = sha256(concatBytes(Uint8Array.of(0x10), gramMatrixHash(entries, n)));
  const opening = concatBytes(packTriangle(entries), packGramPath(path));
  return { opening, root: toHex(foldGramPath(leaf, 0, path)!) };
}

describe('the gas of an answer', () => {
  let world: World;
  let payees: Wallet[];
  const table: string[] = [];
  before(async function () {
    this.timeout(300_000);
    world = await World.create({ participants: 0, aggregators: 0, accounts: 220 });
    payees = world.wallets.slice(110, 215);
  });
  after(async () => {
    console.log(table.join('\n'));
    await world.close();
  });

  /** A published round with n participants whose vectors have this layout; every opening in it is `some...`. */
  async function setting(dimension: number, chunkSize: number, n: number) {
    const layout = vectorLayout(dimension, chunkSize);
    const parameters: Partial<Parameters> = {
      dimension: BigInt(dimension),
      chunkSize,
      normSqBound: 2n ** 64n - 1n,
      serverStep: fromServerStep(YOGI),
      minParticipants: 4,
      // The larger the chunks, the fewer participants a federation may have (C-96).
      maxParticipants: chunkSize > 1024 ? 20 : PEOPLE,
      commitWindowSeconds: 100_000,
      revealWindowSeconds: 100_000,
      challengeWindowSeconds: 100_000,
      answerWindowSeconds: 100_000,
    };
    world.federation = await world.createFederation(parameters);
    const people = world.wallets.slice(1, 1 + n);
    for (const person of people) await world.register(person);
    const aggregator = world.wallets[105]!;
    await world.registerAggregator(aggregator);
    const update = someUpdate(layout);
    const updates: Update[] = people.map((person, i) => {
      const made = world.update(person, 1);
      return i === 0 ? { ...made, root: update.root, normSq: update.normSq } : made;
    });
    for (const [i, person] of people.entries()) await world.commit(person, 1, updates[i]!);
    for (const [i, person] of people.entries()) await world.reveal(person, 1, updates[i]!);
    const state = someModel(stateLayout(layout, stateVectors(YOGI)));
    const [model, gram] = [someModel(layout), someGram(layout, n)];
    const publication = {
      ...(await world.publication(1)),
      modelRoot: model.root,
      stateRoot: state.root,
      gramRoot: gram.root,
    };
    await world.send(aggregator, 'publishRound', [1n, publication]);
    const openings = [update.opening, model.opening, state.opening, gram.opening];
    return {
      real: new RealWorld(world),
      publication,
      openings,
      owners: [people[0]!, aggregator, aggregator, aggregator],
    };
  }

  let payee = 0;
  async function measure(name: string, made: Awaited<ReturnType<typeof setting>>, kind: number, signed: boolean) {
    const { real, publication, openings, owners } = made;
    const gas = (await world.read('answerGas', [kind, 1n])) as bigint;
    await world.scratch(async () => {
      const { id, receipt: asked } = await real.ask(
        world.wallets[0]!,
        { kind, round: 1, publication },
        gas * 10n ** 10n,
      );
      expect(asked.gasUsed < TRANSACTION_CAP).to.equal(true);
      // Each payee is paid for the first time: its credit is a new slot.
      const to = payees[payee++ % payees.length]!;
      const signature = signed ? await sign(owners[kind]!, id, to) : '0x';
      const sender = signed ? world.wallets[0]! : to;
      const receipt = await real.answer(sender, id, openings[kind]!, to.account.address, signature);
      const reader = await world.connection.viem.getPublicClient();
      const { input, gas: limit } = await reader.getTransaction({ hash: receipt.transactionHash });
      const zeros = input
        .slice(2)
        .match(/../g)!
        .filter((byte) => byte === '00').length;
      const floor = 21_000 + 10 * (zeros + 4 * ((input.length - 2) / 2 - zeros));
      const { gasUsed } = receipt;
      table.push(
        `    ${name.padEnd(44)}${String(openings[kind]!.length).padStart(7)} bytes${String(gasUsed).padStart(10)} gas, bond for ${gas}, asked for ${asked.gasUsed}`,
      );
      expect(gasUsed >= BigInt(floor), 'this chain charges what EIP-7623 asks for').to.equal(true);
      expect(gasUsed <= gas, `${name}: the bond pays for ${gas}, the answer takes ${gasUsed}`).to.equal(true);
      expect(Number(gas) / Number(gasUsed), `${name}: no more than needed`).to.be.at.most(SLACK);
      expect(limit <= TRANSACTION_CAP).to.equal(true);
    });
  }

  const sign = (owner: Wallet, id: Hex, to: Wallet) =>
    owner.signTypedData({
      account: owner.account,
      domain: { name: 'Assay', version: '1', chainId: 31337, verifyingContract: world.federation },
      types: {
        AnswerChallenge: [
          { name: 'id', type: 'bytes32' },
          { name: 'payee', type: 'address' },
        ],
      },
      primaryType: 'AnswerChallenge',
      message: { id, payee: to.account.address },
    });

  const vectors = [
    ['the smallest', 256, 256],
    ['MNIST', 50_890, 256],
    ['1M parameters', 1_000_000, 256],
    ['67M parameters', 67_000_000, 256],
    ['1M parameters, K = 16', 1_000_000, 16],
    ['67M parameters, K = 4096', 67_000_000, 4096],
    ['as many as there can be, K = 16', 2 ** 32, 16],
  ] as const;
  for (const [name, dimension, chunkSize] of vectors) {
    it(`C-104 C-153: is covered by the bond: an update's, a model's, a state's chunk with all its vectors, ${name}`, async () => {
      const made = await setting(dimension, chunkSize, 4);
      for (const [kind, what] of ['update', 'model', 'state'].entries()) {
        await measure(`${what}, ${name}`, made, kind, false);
        await measure(`${what}, ${name}, relayed`, made, kind, true);
      }
    });
  }

  for (const n of [4, 20, 50, 100]) {
    for (const [name, dimension, chunkSize] of [vectors[1], vectors[2], vectors[3]]) {
      it(`C-104: is covered by the bond: a span of the Gram matrix of ${n}, ${name}`, async function () {
        this.timeout(180_000);
        const made = await setting(dimension, chunkSize, n);
        await measure(`Gram, n = ${n}, ${name}`, made, Kind.Gram, false);
        await measure(`Gram, n = ${n}, ${name}, relayed`, made, Kind.Gram, true);
        // Whoever asks for an update brings the round's reveals.
        await measure(`update in a round of ${n}, ${name}`, made, Kind.Update, false);
      });
    }
  }
});

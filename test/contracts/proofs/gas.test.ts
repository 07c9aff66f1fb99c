/**
 * What each fraud proof costs whoever proves it, conviction included: sent to Hardhat's node as JSON-RPC, whose rules
 * are the chain's, the cap of 16,777,216 gas a transaction (EIP-7825) and the price of calldata (EIP-7623) among them.
 * A value that moves by more than 0.5 % fails; `UPDATE_GAS=1` writes the new ones. `GAS_BREAKDOWN=1` also says where
 * the gas goes.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeFunctionData, type Hex, keccak256, zeroHash } from 'viem';
import { fromRule, fromServerStep } from '../../../chain/convert.ts';
import type { Gram } from '../../../protocol/aggregation/gram.ts';
import { needsGram, parseRule, type Rule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, hasServerState, type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { gramMatrixHash } from '../../../protocol/commitment/gramTree.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { concatBytes, fromHex, toHex } from '../../../protocol/encoding/bytes.ts';
import { stateLayout, type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { writeFileAtomic } from '../../../storage/atomicFile.ts';
import { preAggregate } from '../../protocol/support/preAggregateRows.ts';
import { ruleOf } from '../../protocol/support/ruleOf.ts';
import { matrixPreimages, packTriangle, Randomness } from '../support/openings.ts';
import { mixingPreimage, nearestBitmaps, type Revealed, type ScenePublication } from '../support/scene.ts';
import { climbGram, type Density, SyntheticModel, SyntheticUpdate } from '../support/synthetic.ts';
import { baseParameters, cidOf, hash, NO_BOUND, World } from '../support/world.ts';

const SNAPSHOT = fileURLToPath(new URL('./gas.snapshot.json', import.meta.url));
const TOLERANCE = 0.005;
const TRANSACTION_CAP = 16_777_216;
const K = 256;
const MILLION = 1_000_000;
const LARGE = 67_108_864;
const CHUNK = 3;
const BOND = baseParameters.proofBond;
const MOMENTUM: ServerStep = { ...FED_AVG, optimizer: 'fedAvgM', momentumQ16: 58_982 };
const YOGI: ServerStep = { ...MOMENTUM, optimizer: 'fedYogi', secondMomentQ16: 64_881, adaptivity: 16_777 };

interface Stage {
  readonly n: number;
  readonly dimension: number;
  readonly rule: Rule;
  /** FedAvg unless told. */
  readonly step?: ServerStep;
  /** K; 256 unless told. */
  readonly chunkSize?: number;
  readonly density: Density;
  readonly hardfork?: 'cancun';
}

/** A round in Aggregate, of a federation that exists only where proofs look. */
class Theatre {
  readonly world: World;
  readonly stage: Stage;
  readonly layout: VectorLayout;
  readonly random = new Randomness(77);
  readonly updates: SyntheticUpdate[] = [];
  readonly reveals: Revealed[] = [];
  /** Of the round before. */
  readonly before: Revealed[] = [];
  readonly genesis: SyntheticModel;
  round = 1;

  private constructor(world: World, stage: Stage, layout: VectorLayout, genesis: SyntheticModel) {
    this.world = world;
    this.stage = stage;
    this.layout = layout;
    this.genesis = genesis;
  }

  static async open(stage: Stage): Promise<Theatre> {
    const layout = vectorLayout(stage.dimension, stage.chunkSize ?? K);
    const { n, rule, density, hardfork } = stage;
    const step = stage.step ?? FED_AVG;
    const genesis = new SyntheticModel(new Randomness(5), layout, density, CHUNK);
    const parameters = {
      dimension: BigInt(stage.dimension),
      chunkSize: layout.chunkSize,
      genesisModelRoot: genesis.root,
      normSqBound: NO_BOUND,
      minParticipants: n,
      minUpdates: n - 1,
      maxParticipants: n,
      rule: fromRule(rule),
      serverStep: fromServerStep(step),
    };
    const options = { parameters, participants: n, aggregators: 3, accounts: 110, ...(hardfork ? { hardfork } : {}) };
    const theatre = new Theatre(await World.create(options), stage, layout, genesis);
    if (hasServerState(step)) {
      // A first round, so that there is a state to start from.
      await theatre.contribute();
      await theatre.publish();
      theatre.round = 2;
    }
    await theatre.contribute();
    return theatre;
  }

  /** Commits and reveals. The last participant lies about a sum; in round 2 the first repeats its update. */
  private async contribute(): Promise<void> {
    const { world, stage, random, layout, round } = this;
    const copied = this.updates.slice(0, round === 2 ? 1 : 0);
    this.before.push(...this.reveals);
    this.updates.length = 0;
    this.reveals.length = 0;
    this.updates.push(...copied);
    for (let i = copied.length; i < stage.n; i++) {
      this.updates.push(new SyntheticUpdate(random, layout, stage.density, i === stage.n - 1 ? 7n : 0n));
    }
    const update = (i: number) => {
      const { root, normSq } = this.updates[i]!;
      return { root, normSq, cid: cidOf(round, i), salt: hash('salt', round, i) };
    };
    for (let i = 0; i < stage.n; i++) await world.commit(world.participant(i), round, update(i));
    for (let i = 0; i < stage.n; i++) {
      await world.reveal(world.participant(i), round, update(i));
      const { root, normSq, cid } = update(i);
      const participant = world.participant(i).account.address;
      this.reveals.push({ index: i, participant, root, normSq, cidHash: keccak256(cid) });
    }
  }

  readonly states = new Map<number, SyntheticModel>();
  readonly models = new Map<number, SyntheticModel>();
  readonly publications = new Map<number, ScenePublication>();

  async publish(roots: { gramRoot?: Hex; mixingHash?: Hex; modelRoot?: Hex } = {}): Promise<void> {
    const { world, random, layout, stage, round } = this;
    const vectors = stateVectors(stage.step ?? FED_AVG);
    const model = new SyntheticModel(random, layout, stage.density, CHUNK);
    const state = new SyntheticModel(random, stateLayout(layout, Math.max(1, vectors)), stage.density, CHUNK);
    const gram = needsGram(stage.rule);
    const publication = {
      ...(await world.publication(round)),
      modelRoot: model.root,
      stateRoot: vectors > 0 ? state.root : zeroHash,
      gramRoot: gram ? hash('gram') : zeroHash,
      mixingHash: gram ? hash('mixing') : zeroHash,
      ...roots,
    };
    this.models.set(round, model);
    this.states.set(round, state);
    this.publications.set(round, publication);
    await world.send(await world.leader(round), 'publishRound', [BigInt(round), publication]);
  }

  get publication() {
    return this.publications.get(this.round)!;
  }

  /** Sends a proof that convicts. */
  async prove(name: string, args: unknown[], value = BOND): Promise<{ gas: number; data: Hex }> {
    const { world } = this;
    const data = encodeFunctionData({ abi: world.abi, functionName: name, args });
    const from = world.wallets[109]!.account.address;
    const request = { from, to: world.federation, value: `0x${value.toString(16)}`, data };
    // The whole block, as far as the node lets one transaction have it.
    const gas = this.stage.hardfork ? 60_000_000 : TRANSACTION_CAP;
    const hash_ = (await world.connection.provider.request({
      method: 'eth_sendTransaction',
      params: [{ ...request, gas: `0x${gas.toString(16)}` }],
    })) as Hex;
    const receipt = await (await world.connection.viem.getPublicClient()).getTransactionReceipt({ hash: hash_ });
    expect(receipt.status, name).to.equal('success');
    expect(world.eventNames(receipt), name).to.include('Slashed');
    return { gas: Number(receipt.gasUsed), data };
  }

  /** An honest-looking Gram matrix: squares on the diagonal, small products beside it. `scale` coordinates. */
  matrix(bits: number): BigInt64Array {
    const { n } = this.stage;
    const { random } = this;
    const size = 2 ** bits;
    const values = new BigInt64Array((n * (n + 1)) / 2);
    for (let i = 0, k = 0; i < n; i++) {
      for (let j = i; j < n; j++, k++) {
        values[k] =
          BigInt(i === j ? random.between(size / 2, size) : random.between(-size / 64, size / 64)) * 2n ** 12n;
      }
    }
    return values;
  }

  badCoordinate(mixing: Hex) {
    const { round, stage } = this;
    const before = this.publications.get(round - 1);
    const empty = { ...this.publication, modelCid: '0x', evidenceCid: '0x' };
    const none = Object.fromEntries(
      Object.entries(empty).map(([name, value]) => [name, value === '0x' ? '0x' : zeroHash]),
    );
    const base = round === 1 ? this.genesis : this.models.get(round - 1)!;
    // A step with state is accused of the state, which costs more than the model that follows from it.
    const state = hasServerState(stage.step ?? FED_AVG);
    return [
      {
        round: BigInt(round),
        chunk: CHUNK,
        coordinate: 100,
        publication: this.publication,
        previous: before ?? none,
        reveals: this.reveals,
        rows: toHex(concatBytes(...this.updates.map((update) => update.chunk(CHUNK)))),
        oldModel: state ? '0x' : toHex(base.opening),
        newModel: state ? '0x' : toHex(this.models.get(round)!.opening),
        oldState: state ? toHex(this.states.get(round - 1)!.opening) : '0x',
        newState: state ? toHex(this.states.get(round)!.opening) : '0x',
        mixing,
      },
    ];
  }

  /** The mixing matrix of some Gram matrix: what it is made of does not matter to its price. */
  someMixing(): Uint8Array {
    const { n, rule } = this.stage;
    return mixingPreimage(preAggregate(rule, gramOf(this.matrix(40), n)));
  }
}

const gramOf = (values: BigInt64Array, n: number): Gram => ({ n, values });

describe('gas of fraud proofs', function () {
  this.timeout(600_000);
  const measured: Record<string, number> = {};
  const breakdown: string[] = [];
  const hardforks = process.env.GAS_BREAKDOWN === '1' ? [undefined, 'cancun' as const] : [undefined];

  /** Runs what is measured; with GAS_BREAKDOWN also under the rules before EIP-7623, which show the computation. */
  const stageOf = async (stage: Stage, play: (theatre: Theatre, note: Note) => Promise<void>) => {
    const datas = new Map<string, Hex>();
    for (const hardfork of hardforks) {
      const theatre = await Theatre.open({ ...stage, ...(hardfork ? { hardfork } : {}) });
      await play(theatre, async (name, action, args, value) => {
        await theatre.world.scratch(async () => {
          const { gas, data } = await theatre.prove(action, args, value);
          if (hardfork === undefined) {
            measured[name] = gas;
            datas.set(name, data);
          } else {
            breakdown.push(explain(name, fromHex(data), measured[name]!, gas));
          }
        });
      });
      await theatre.world.close();
    }
  };
  type Note = (name: string, action: string, args: unknown[], value?: bigint) => Promise<void>;

  it('a bad coordinate: at most 1.0M for 20 updates of 1M parameters, 3.0M for 50 of 67M', async () => {
    const coordinate = async (name: string, stage: Stage) => {
      await stageOf(stage, async (theatre, note) => {
        const mixes = needsGram(stage.rule);
        const mixing = mixes ? theatre.someMixing() : new Uint8Array(0);
        await theatre.publish(mixes ? { mixingHash: toHex(sha256(mixing)) } : {});
        await note(name, 'proveBadCoordinate', theatre.badCoordinate(toHex(mixing)));
      });
    };
    const plain = ruleOf('none', 'trimmedMean', 4);
    const mixed = ruleOf('nearestNeighborMixing', 'trimmedMean', 4);
    const [small, large] = [
      { n: 20, dimension: MILLION },
      { n: 50, dimension: LARGE },
    ];
    await coordinate('badCoordinate.n20.1M', { ...small, rule: plain, density: 'trained' });
    await coordinate('badCoordinate.n20.1M.nnm', { ...small, rule: mixed, density: 'trained' });
    await coordinate('badCoordinate.n20.1M.nnm.fedAvgM', { ...small, rule: mixed, step: MOMENTUM, density: 'trained' });
    await coordinate('badCoordinate.n20.1M.dense', { ...small, rule: plain, density: 'dense' });
    await coordinate('badCoordinate.n20.1M.nnm.fedAvgM.dense', {
      ...small,
      rule: mixed,
      step: MOMENTUM,
      density: 'dense',
    });
    const meamed = parseRule('nnm+meamed', 4);
    await coordinate('badCoordinate.n20.1M.nnm+meamed.fedYogi', {
      ...small,
      rule: meamed,
      step: YOGI,
      density: 'trained',
    });
    await coordinate('badCoordinate.n50.67M', { ...large, rule: { ...plain, byzantine: 10 }, density: 'trained' });
    await coordinate('badCoordinate.n50.67M.nnm', { ...large, rule: { ...mixed, byzantine: 10 }, density: 'trained' });
    await coordinate('badCoordinate.n50.67M.nnm.fedAvgM.dense', {
      ...large,
      rule: { ...mixed, byzantine: 10 },
      step: MOMENTUM,
      density: 'dense',
    });
    for (const name of [
      'badCoordinate.n20.1M',
      'badCoordinate.n20.1M.nnm',
      'badCoordinate.n20.1M.nnm.fedAvgM',
      'badCoordinate.n20.1M.nnm+meamed.fedYogi',
    ]) {
      // Three vectors of state instead of one are 2 KiB more, before and after: 4 KiB of calldata at 40 gas a byte.
      expect(measured[name], name).to.be.at.most(name.endsWith('fedYogi') ? 1_164_000 : 1_000_000);
    }
    for (const name of Object.keys(measured).filter((name) => name.startsWith('badCoordinate.n50'))) {
      expect(measured[name], name).to.be.at.most(3_000_000);
    }
  });

  it('100 updates of 67M parameters: every proof fits in one transaction, however dense its bytes (C-96)', async () => {
    const n = 100;
    const mixed = ruleOf('nearestNeighborMixing', 'trimmedMean', 20);
    // Not a power of two: the trees have vacant leaves.
    const stage: Stage = { n, dimension: 67_000_000, rule: mixed, step: MOMENTUM, density: 'dense' };
    await stageOf(stage, async (theatre, note) => {
      const { world, layout, random, reveals, round, updates } = theatre;
      const spanDepth = layout.depth - 4;
      const common = () => ({ round: BigInt(round), publication: theatre.publication, reveals });

      const liar = updates[n - 1]!;
      const opening = {
        level: 0,
        position: 0,
        claimedSum: liar.sum(0),
        preimage: toHex(liar.leaf(0)),
        hash: zeroHash,
        path: liar.path(0).map((sibling) => ({ hash: toHex(sibling.hash), sum: sibling.sum })),
      };
      await note('badSum.n100.67M', 'proveBadSum', [BigInt(round), reveals, BigInt(n - 1), opening]);
      const copy = [BigInt(round), reveals, 0n, 1n, theatre.before, 0n];
      await note('copiedUpdate.n100', 'voidCopiedUpdate', copy, 0n);

      const mixing = theatre.someMixing();
      await world.scratch(async () => {
        await theatre.publish({ mixingHash: toHex(sha256(mixing)) });
        await note(
          'badCoordinate.n100.67M.nnm.fedAvgM.dense',
          'proveBadCoordinate',
          theatre.badCoordinate(toHex(mixing)),
        );
      });

      await world.scratch(async () => {
        const preimages = matrixPreimages(theatre.matrix(36), n);
        const claimed = sha256(preimages.matrix);
        const node = { hash: sha256(concatBytes(Uint8Array.of(0x10), claimed)), claimed };
        const { root, path } = climbGram(random, node, spanDepth);
        await theatre.publish({ gramRoot: root });
        const proof = {
          ...common(),
          span: 0,
          first: 0,
          second: 99,
          matrix: toHex(preimages.matrix),
          row: toHex(preimages.rows[0]!),
          path: toHex(path),
          firstChunks: toHex(updates[0]!.span()),
          secondChunks: toHex(updates[99]!.span()),
        };
        await note('badGramLeaf.n100.67M', 'proveBadGramLeaf', [proof]);
      });

      await world.scratch(async () => {
        const [left, right] = [theatre.matrix(48), theatre.matrix(48)];
        const hashes = random.bytes(64);
        const hashed = concatBytes(
          Uint8Array.of(0x11),
          hashes.subarray(0, 32),
          gramMatrixHash(left, n),
          hashes.subarray(32),
          gramMatrixHash(right, n),
        );
        const { root, path } = climbGram(random, { hash: sha256(hashed), claimed: random.bytes(32) }, spanDepth - 1);
        await theatre.publish({ gramRoot: root });
        const children = toHex(concatBytes(hashes, packTriangle(left), packTriangle(right)));
        const proof = { ...common(), level: 1, position: 0, children, path: toHex(path) };
        await note('badGramNode.n100.67M', 'proveBadGramNode', [proof]);
      });

      await world.scratch(async () => {
        const node = { hash: random.bytes(32), claimed: random.bytes(32) };
        const { root, path } = climbGram(random, node, spanDepth, true);
        await theatre.publish({ gramRoot: root });
        const place = [2, 0, 2 ** spanDepth - 1, toHex(node.hash), toHex(path)];
        await note('badVacancy.n100.67M.gram', 'proveBadVacancy', [BigInt(round), theatre.publication, ...place]);
      });

      await badMixing(theatre, note, 'badMixing.n100.67M.nnm');
    });

    // Krum's hints, and everything else that a published round of 100 can be asked.
    const krum: Stage = { n, dimension: LARGE, rule: ruleOf('multiKrum', 'mean', 20), density: 'dense' };
    await stageOf(krum, (theatre, note) => badMixing(theatre, note, 'badMixing.n100.67M.multi-krum'));

    // The largest that a federation may be: 2^32 parameters, and as many coordinates in a proof as C-96 lets it have.
    const largest = { ...stage, dimension: 2 ** 32, chunkSize: 1024 };
    await stageOf(largest, async (theatre, note) => {
      const mixing = theatre.someMixing();
      await theatre.publish({ mixingHash: toHex(sha256(mixing)) });
      await note('badCoordinate.n100.4G.K1024', 'proveBadCoordinate', theatre.badCoordinate(toHex(mixing)));
    });

    // The adaptive steps have three vectors of state: with as many coordinates, and with the largest chunks there are.
    for (const [name, of] of [
      ['badCoordinate.n100.4G.K1024.fedYogi', { n, chunkSize: 1024 }],
      ['badCoordinate.n25.4G.K4096.fedYogi', { n: 25, chunkSize: 4096 }],
    ] as const) {
      const rule = ruleOf('nearestNeighborMixing', 'meaMed', of.n / 5);
      await stageOf({ ...largest, ...of, rule, step: YOGI }, async (theatre, note) => {
        const mixing = theatre.someMixing();
        await theatre.publish({ mixingHash: toHex(sha256(mixing)) });
        await note(name, 'proveBadCoordinate', theatre.badCoordinate(toHex(mixing)));
      });
    }

    for (const [name, gas] of Object.entries(measured)) expect(gas, name).to.be.at.most(TRANSACTION_CAP);
  });

  async function badMixing(theatre: Theatre, note: Note, name: string): Promise<void> {
    const { n, rule } = theatre.stage;
    const { world, random } = theatre;
    await world.scratch(async () => {
      const [left, right] = [theatre.matrix(48), theatre.matrix(48)];
      const hashes = random.bytes(64);
      const root = sha256(
        concatBytes(
          Uint8Array.of(0x11),
          hashes.subarray(0, 32),
          gramMatrixHash(left, n),
          hashes.subarray(32),
          gramMatrixHash(right, n),
        ),
      );
      const gram = gramOf(
        left.map((value, i) => value + right[i]!),
        n,
      );
      await theatre.publish({ gramRoot: toHex(root) });
      const proof = {
        round: BigInt(theatre.round),
        publication: theatre.publication,
        reveals: theatre.reveals,
        root: toHex(concatBytes(hashes, packTriangle(left), packTriangle(right))),
        mixing: toHex(mixingPreimage(preAggregate(rule, gram))),
        nearest: rule.preAggregations[0] === 'multiKrum' ? nearestBitmaps(gram, rule.byzantine) : [],
      };
      await note(name, 'proveBadMixing', [proof]);
    });
  }

  it('the node refuses a transaction above the cap, so what was sent is below it', async () => {
    const world = await World.create({ participants: 0, aggregators: 0 });
    const [from, to] = [world.wallets[0]!.account.address, world.wallets[1]!.account.address];
    const send = (gas: number) =>
      world.connection.provider.request({
        method: 'eth_sendTransaction',
        params: [{ from, to, gas: `0x${gas.toString(16)}` }],
      });
    await send(TRANSACTION_CAP);
    let refusal = '';
    await send(TRANSACTION_CAP + 1).catch((error: Error) => {
      refusal = error.message;
    });
    expect(refusal).to.match(/16777216/);
    await world.close();
  });

  it('no proof moved against the snapshot', async () => {
    const table = Object.entries(measured).map(([proof, gas]) => `    ${proof.padEnd(48)}${String(gas).padStart(9)}`);
    if (breakdown.length > 0) {
      table.push('| proof | bytes | calldata | floor | computation | gas |', '|---|---|---|---|---|---|', ...breakdown);
    }
    console.log(table.join('\n'));
    if (process.env.UPDATE_GAS === '1') await writeFileAtomic(SNAPSHOT, `${JSON.stringify(measured, null, 2)}\n`);
    const snapshot = JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Record<string, number>;
    expect(Object.keys(measured)).to.deep.equal(Object.keys(snapshot));
    for (const [proof, expected] of Object.entries(snapshot)) {
      const moved = Math.abs(measured[proof]! - expected) / expected;
      expect(moved, `${proof}: ${expected} -> ${measured[proof]} (UPDATE_GAS=1 accepts it)`).to.be.at.most(TOLERANCE);
    }
  });
});

/** Where the gas goes: bytes of calldata, what they cost before and since EIP-7623, and the computation. */
function explain(name: string, data: Uint8Array, now: number, before: number): string {
  const zeros = data.filter((byte) => byte === 0).length;
  const others = data.length - zeros;
  const standard = 4 * zeros + 16 * others;
  const floor = 10 * zeros + 40 * others;
  const row = [name, data.length, standard, floor, before - 21_000 - standard, now];
  return `| ${row.map((value) => value.toLocaleString('en')).join(' | ')} |`;
}

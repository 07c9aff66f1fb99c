/** The Solidity libraries against test/vectors: the numbers that the TypeScript protocol must reproduce, too. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import hre from 'hardhat';
import { type Abi, decodeErrorResult, type Hex, keccak256, zeroHash } from 'viem';
import { federationFactoryAbi } from '../../chain/abi/federationFactory.ts';
import { fromRule, fromServerStep } from '../../chain/convert.ts';
import { COMBINES, type Combine, type Rule } from '../../protocol/aggregation/rule.ts';
import { ruleOf } from '../protocol/support/ruleOf.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON with one shape per file
const vectors = (name: string): any =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

interface Opening {
  readonly index: number;
  readonly chunk: Hex;
  readonly pathHashes: Hex[];
  readonly pathSums: string[];
}

const sumPath = ({ pathHashes, pathSums }: Opening) =>
  pathHashes.map((hash, i) => ({ hash, sum: BigInt(pathSums[i]!) }));

describe('vectors in Solidity', () => {
  const open = async () => {
    const connection = await hre.network.create();
    const { address, abi } = await connection.viem.deployContract('LibraryHarness');
    const client = await connection.viem.getPublicClient();
    // biome-ignore lint/suspicious/noExplicitAny: compared with JSON
    const read = (functionName: string, args: readonly unknown[]): Promise<any> =>
      client.readContract({ address, abi: abi as Abi, functionName, args });
    return { connection, read };
  };
  let world: Awaited<ReturnType<typeof open>>;
  before(async () => {
    world = await open();
  });
  after(() => world.connection.close());

  it('MerkleSum opens every position of every update, and nothing it must refuse (C-70 C-71 C-72 C-73)', async () => {
    const { read } = world;
    const { cases, refused } = vectors('merkleSum');
    expect(cases.length).to.be.above(3);
    for (const { name, root, normSq, depth, proofs } of cases) {
      for (const proof of proofs as Opening[]) {
        const args = [root, BigInt(normSq), BigInt(depth), BigInt(proof.index), proof.chunk, sumPath(proof)];
        expect(await read('verifySumLeaf', args), `${name}, chunk ${proof.index}`).to.equal(true);
        if (depth > 0) {
          const other = [root, BigInt(normSq), BigInt(depth), BigInt(proof.index ^ 1), proof.chunk, sumPath(proof)];
          const twin = proofs.find(({ index }: Opening) => index === (proof.index ^ 1));
          if (twin !== undefined && twin.chunk !== proof.chunk)
            expect(await read('verifySumLeaf', other), `${name}, moved`).to.equal(false);
        }
      }
    }
    expect(refused.length).to.be.above(10);
    for (const { name, root, normSq, depth, ...proof } of refused) {
      const args = [root, BigInt(normSq), BigInt(depth), BigInt(proof.index), proof.chunk, sumPath(proof)];
      expect(await read('verifySumLeaf', args), name).to.equal(false);
    }
  });

  it('MerklePosition opens every position of every model, and nothing it must refuse (C-74)', async () => {
    const { read } = world;
    const { cases, refused } = vectors('merkle');
    for (const { name, root, depth, proofs } of cases) {
      for (const { index, chunk, pathHashes } of proofs as Opening[]) {
        const args = [root, BigInt(depth), BigInt(index), chunk, pathHashes];
        expect(await read('verifyPositionLeaf', args), `${name}, chunk ${index}`).to.equal(true);
      }
    }
    expect(refused.length).to.be.above(5);
    for (const { name, root, depth, index, chunk, pathHashes } of refused) {
      const args = [root, BigInt(depth), BigInt(index), chunk, pathHashes];
      expect(await read('verifyPositionLeaf', args), name).to.equal(false);
    }
  });

  it('CommitHash seals and accumulates as the protocol does', async () => {
    const { read } = world;
    for (const { name, commitHash, cid, chainId, round, normSq, ...rest } of vectors('commitHash').cases) {
      const update = {
        ...rest,
        chainId: BigInt(chainId),
        round: BigInt(round),
        normSq: BigInt(normSq),
        cidHash: keccak256(cid),
      };
      expect(await read('seal', [update]), name).to.equal(commitHash);
    }
    for (const { name, reveals, accumulator } of vectors('accumulator').cases) {
      let running: Hex = zeroHash;
      for (const { index, participant, root, normSq, cid, accumulator: expected } of reveals) {
        running = await read('accumulate', [running, index, participant, root, BigInt(normSq), cid]);
        expect(running, name).to.equal(expected);
      }
      expect(running, name).to.equal(accumulator);
    }
  });

  it('RuleParameters knows which rules are possible and what they need (C-60)', async () => {
    const { read } = world;
    const { cases } = vectors('ruleParameters');
    expect(cases.length).to.be.above(100);
    for (const { name, preAggregation, combine, byzantine, selected, ok, minimum } of cases) {
      const rule = fromRule(ruleOf(preAggregation, combine, byzantine, selected));
      const label = `${name}, f = ${byzantine}, m = ${selected}`;
      const answer = await read('minimumUpdates', [rule]).catch((error: Error) => revertName(error));
      expect(answer, label).to.equal(ok ? minimum : 'ImpossibleRule');
    }
  });

  it('RuleParameters knows every composition: whether it is possible, what it needs, whether it is enforced (C-60 C-151)', async () => {
    const { read } = world;
    const { cases } = vectors('ruleCompositions');
    expect(cases.length).to.be.above(100);
    // More than four stages have no place in the contract's 32 bits.
    for (const { name, ok, minimum, enforceable, ...pieces } of cases.filter(
      ({ preAggregations }: Rule) => preAggregations.length <= 4,
    )) {
      const rule = fromRule({ ...pieces, radius: BigInt(pieces.radius) });
      const answer = await read('minimumUpdates', [rule]).catch((error: Error) => revertName(error));
      expect(answer, name).to.equal(ok ? minimum : 'ImpossibleRule');
      if (ok) expect(await read('isEnforceable', [rule]), name).to.equal(enforceable);
    }
  });

  it('CoordinateStep combines a column as the protocol does, ties included', async () => {
    const { read } = world;
    const cases = vectors('combine').cases.filter(({ combine }: { combine: Combine }) => combine !== 'bulyan');
    expect(cases.length).to.be.above(50);
    for (const { name, combine, byzantine, column, numerator, denominator } of cases) {
      const args = [COMBINES.indexOf(combine), BigInt(byzantine), column.map(BigInt)];
      expect(await read('combineColumn', args), name).to.deep.equal([BigInt(numerator), BigInt(denominator)]);
    }
  });

  it('ServerState moves moments and model as the protocol does (C-152)', async () => {
    const { read } = world;
    const { cases } = vectors('serverSteps');
    expect(cases.length).to.be.above(20);
    for (const { name, serverStep, modelFractionBits, updateFractionBits, ...numbers } of cases) {
      const step = fromServerStep(serverStep);
      const shifted = BigInt(numbers.numerator) * 2n ** BigInt(modelFractionBits - updateFractionBits);
      const delta = saturated(shifted / BigInt(numbers.denominator));
      const before = { momentum: BigInt(numbers.momentum), secondMoment: BigInt(numbers.secondMoment) };
      const after = { momentum: BigInt(numbers.nextMomentum), secondMoment: BigInt(numbers.nextSecondMoment) };
      expect(await read('stateAfter', [step, before, delta]), name).to.deep.equal(after);
      const moved = await read('movedByState', [step, BigInt(modelFractionBits), BigInt(numbers.model), after]);
      expect(moved, name).to.equal(BigInt(numbers.nextModel));
    }
  });
});

const saturated = (x: bigint): bigint => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);

/** The custom error behind a failed call. */
function revertName(error: unknown): string {
  for (
    let cause = error as { data?: unknown; cause?: unknown } | undefined;
    cause;
    cause = cause.cause as typeof cause
  ) {
    const data = (cause.data as { data?: Hex } | undefined)?.data ?? cause.data;
    if (typeof data === 'string') return decodeErrorResult({ abi: federationFactoryAbi, data: data as Hex }).errorName;
    const { errorName } = (cause.data ?? {}) as { errorName?: string };
    if (errorName !== undefined) return errorName;
  }
  return String(error);
}

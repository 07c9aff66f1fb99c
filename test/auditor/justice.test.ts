/** What the chain says of stakes, bonds and rewards must be what its rules say: nothing is found when it is, each slip is. */
import { expect } from 'chai';
import { assembleRounds } from '../../auditor/chain/assembleRounds.ts';
import { CHUNK_KINDS, decodeEvents, federationInterface } from '../../auditor/chain/decodeEvents.ts';
import { PROOF_KINDS } from '../../protocol/dispute/fraudProof.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidFromBytes } from '../../protocol/encoding/cid.ts';
import { viewInt16 } from '../../protocol/encoding/vectors.ts';
import { gramOfRows, parseRule } from '../../protocol/index.ts';
import { splitReward } from '../../protocol/round/rewards.ts';
import { account, auditWorld, buildWorld, type World } from './fixtures/federation.ts';

const CHALLENGER = account(0x77);
const NNM = parseRule('nnm+trimmed-mean', 2);

/** Appends one transaction with these events. */
function transaction(world: World, ...events: readonly (readonly [name: string, args: readonly unknown[]])[]): void {
  const last = world.facts.logs.at(-1)!;
  const transactionHash: Hex = `0x${(BigInt(last.transactionHash) + 1n).toString(16).padStart(64, '0')}`;
  events.forEach(([name, args], i) => {
    const { topics, data } = federationInterface.encodeEventLog(name, [...args]);
    const log = { topics: topics as Hex[], data: data as Hex, transactionHash, logIndex: last.logIndex + 1 + i };
    world.facts.logs.push({ ...last, ...log });
  });
}

/** A round's submission voided before publication, its owner slashed: half burned. `stake` is 1 in this world. */
function convicted(change: { burned?: bigint; reward?: bigint; without?: string; balance?: bigint } = {}): World {
  const world = buildWorld({ rule: parseRule('median', 2), rounds: 2, voided: { 2: [3] } });
  const { facts, participants } = world;
  // Its stake was raised to five before.
  transaction(world, ['StakeAdded', [participants[3], 0, 4n, 5n]]);
  const { burned = 3n, reward = 2n, without } = change;
  const events = (
    [
      ['SubmissionVoided', [2, participants[3], 3]],
      ['Slashed', [2, participants[3], 0, PROOF_KINDS.indexOf('badSum'), 5n, burned, CHALLENGER, reward]],
      ['Credited', [CHALLENGER, reward]],
      ['PenaltyBurned', [burned, burned]],
      ['Credited', [CHALLENGER, 1n]], // the bond
    ] as const
  ).filter(([name]) => name !== without);
  transaction(world, ...events);
  facts.totalBurned = burned;
  facts.balance = change.balance ?? facts.balance + 4n - burned + 1n;
  return world;
}

const findingsOf = async (world: World) =>
  (await auditWorld(world)).findings.map(({ kind, round, role }) => [kind, round, role].join(' '));

describe('justice by the book', () => {
  it('a stake divided in two halves, the odd unit burned, is right', async () => {
    expect(await findingsOf(convicted())).to.deep.equal([]);
  });

  it('any other division is not', async () => {
    const slip = ['chainInconsistent 2 contract'];
    expect(await findingsOf(convicted({ burned: 2n, reward: 3n }))).to.deep.equal(slip);
    expect(await findingsOf(convicted({ burned: 3n, reward: 1n }))).to.deep.equal(slip);
  });

  it('who is slashed for an update loses the update, too', async () => {
    const world = convicted({ without: 'SubmissionVoided' });
    expect(await findingsOf(world)).to.deep.equal(['chainInconsistent 2 contract']);
  });

  it('the contract holds what it owes, to the last unit', async () => {
    const right = convicted().facts.balance;
    expect(await findingsOf(convicted({ balance: right + 10n }))).to.deep.equal([]); // coin can be forced on it
    expect(await findingsOf(convicted({ balance: right - 1n }))).to.deep.equal(['chainInconsistent 0 contract']);
  });

  it('a challenge ends once, with its whole bond', async () => {
    const id = `0x${'ab'.repeat(32)}`;
    const opened = [
      'ChallengeOpened',
      [id, 1, CHUNK_KINDS.indexOf('model'), 0, 0, CHALLENGER, account(0xa1), 9n, 100],
    ] as const;
    const build = (...ends: readonly (readonly [string, readonly unknown[]])[]) => {
      const world = buildWorld({ rule: parseRule('median', 2), rounds: 1 });
      transaction(world, opened);
      for (const end of ends) transaction(world, end);
      world.facts.balance += 9n * BigInt(1 + ends.filter(([name]) => name === 'ChallengeOpened').length);
      return findingsOf(world);
    };
    const answered = (paid: bigint) => ['ChallengeAnswered', [id, 1, account(5), paid, '0x12']] as const;
    const refunded = ['ChallengeRefunded', [id, 1, CHALLENGER, 9n]] as const;
    expect(await build(answered(9n))).to.deep.equal([]);
    expect(await build(refunded)).to.deep.equal([]);
    expect(await build(refunded, opened, answered(9n))).to.deep.equal([]);
    expect(await build(answered(8n))).to.deep.equal(['chainInconsistent 1 contract']);
    expect(await build(answered(9n), refunded)).to.deep.equal(['chainInconsistent 1 contract']);
  });
});

describe('rewards by the book', () => {
  function paid(change: (shares: bigint[]) => void = () => undefined, contributionRewardBps = 4000): World {
    const world = buildWorld({ rule: NNM, rounds: 2 });
    const { facts, payloads, participants, aggregators } = world;
    Object.assign(facts.parameters, { aggregatorRewardBps: 1000, contributionRewardBps });
    const { reveals } = assembleRounds(facts, decodeEvents(facts.logs))[0]!;
    const rows = participants.map((_, i) => {
      const { cid } = reveals.find(({ submission }) => submission.index === i)!.submission;
      return viewInt16(payloads.get(cidFromBytes(cid))!);
    });
    const reward = 1_000_003n;
    const split = splitReward(reward, 7, facts.parameters, gramOfRows(rows));
    const shares = [...split.participants, split.aggregator];
    change(shares);
    transaction(world, ['RewardsFunded', [CHALLENGER, reward, reward]]);
    transaction(world, ['RewardReserved', [1, reward]]);
    const leader = aggregators[0];
    transaction(
      world,
      ...shares
        .map((share, i) => ['Credited', [participants[i] ?? leader, share]] as const)
        .filter(([, [, share]]) => share !== 0n),
      ['RewardsDistributed', [1, shares[7], reward - shares[7]!]] as const,
    );
    facts.balance += reward;
    return world;
  }

  it('the split that the updates lead to is right; for a rule without contributions, too', async () => {
    expect(await findingsOf(paid())).to.deep.equal([]);
    expect(await findingsOf(paid(undefined, 0))).to.deep.equal([]);
  });

  it('one unit from one to another is not', async () => {
    const world = paid((shares) => {
      shares[2]! += 1n;
      shares[3]! -= 1n;
    });
    expect(await findingsOf(world)).to.deep.equal(['chainInconsistent 1 contract']);
    const toLeader = paid((shares) => {
      shares[7]! += 1n;
      shares[0]! -= 1n;
    });
    expect(await findingsOf(toLeader)).to.deep.equal(['chainInconsistent 1 contract']);
  });
});

/** Commits and reveals that their makers signed and somebody else sends. */
import { expect } from 'chai';
import { type Abi, type Address, type Hex, keccak256, toFunctionSelector } from 'viem';
import { commitUpdateTypedData, revealUpdateTypedData } from '../../chain/typedData.ts';
import { callOf, commitAll, revealAll, sign, signCommit, signReveal, type Wallet } from './support/signed.ts';
import { cidOf, expectRevert, hash, Phase, Role, STAKE, World } from './support/world.ts';

const selector = (error: string) => toFunctionSelector(`function ${error}`);
const BAD_SIGNATURE = selector('BadSignature(address)');

describe('relayed messages', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());
  const people = () => [0, 1, 2, 3].map((i) => world.participant(i));
  /** Nobody to the federation: not a member, without a stake. */
  const relayer = () => world.wallets[25]!;
  const signAll = (round: number) => Promise.all(people().map((person) => signCommit(world, person, round)));
  const openAll = (round: number) => Promise.all(people().map((person) => signReveal(world, person, round)));
  const refusals = (receipt: Parameters<World['events']>[0]) =>
    world
      .events(receipt)
      .filter(({ name }) => name === 'RelayRefused')
      .map(({ args }) => [(args.participant as string).toLowerCase(), args.reason]);

  it('a whole round goes the same way as by direct calls, at no cost to the participants', async () => {
    const direct = await World.create();
    for (const person of people()) await direct.commit(direct.participant(people().indexOf(person)), 1);
    for (const person of people()) await direct.reveal(direct.participant(people().indexOf(person)), 1);
    const spent = await Promise.all(people().map(({ account }) => world.balance(account.address)));
    const committed = await commitAll(world, relayer(), 1, await signAll(1));
    expect(world.eventNames(committed)).to.deep.equal([
      'CommitPhaseOpened',
      ...Array.from({ length: 4 }, () => 'UpdateCommitted'),
      'RevealPhaseOpened',
    ]);
    const revealed = await revealAll(world, relayer(), 1, await openAll(1));
    expect(world.eventNames(revealed).filter((name) => name === 'UpdateRevealed')).to.have.length(4);
    const [ours, theirs] = [await world.round(1), await direct.round(1)];
    expect([ours.phase, ours.committed, ours.revealed, ours.accumulator]).to.deep.equal([
      theirs.phase,
      theirs.committed,
      theirs.revealed,
      theirs.accumulator,
    ]);
    expect(ours.phase).to.equal(Phase.Aggregate);
    for (const [i, person] of people().entries()) {
      expect(await world.balance(person.account.address)).to.equal(spent[i]);
      expect((await world.participantOf(person)).revealed).to.equal(true);
    }
    await world.publish(await world.leader(1), 1);
    await world.checkBooks();
    await direct.close();
  });

  it('direct and relayed mix, in any order, over several batches', async () => {
    const [alice, bob, carol, dave] = people();
    await commitAll(world, relayer(), 1, [await signCommit(world, bob!, 1)]);
    await world.commit(alice!, 1);
    await commitAll(world, relayer(), 1, [await signCommit(world, dave!, 1), await signCommit(world, carol!, 1)]);
    await revealAll(world, relayer(), 1, [await signReveal(world, dave!, 1)]);
    await world.reveal(bob!, 1);
    await revealAll(world, relayer(), 1, [await signReveal(world, carol!, 1), await signReveal(world, alice!, 1)]);
    expect(await world.phase(1)).to.equal(Phase.Aggregate);
    await world.publish(await world.leader(1), 1);
    for (const person of people()) expect(await world.read('hasRevealed', [1n, person.account.address])).to.equal(true);
  });

  it('C-140: nobody speaks for another, nor with a message for another place or time', async () => {
    const [alice, bob] = people();
    const good = await signCommit(world, alice!, 1);
    const other = await world.createFederation();
    const twisted = [
      { ...good, participant: bob!.account.address },
      { ...good, commitHash: hash('another') },
      await signCommit(world, alice!, 1, undefined, { chainId: 1 }),
      await signCommit(world, alice!, 1, undefined, { federation: other }),
      await signCommit(world, alice!, 1, undefined, { round: 2n }),
      await signCommit(world, alice!, 1, undefined, { opening: 2 }),
      { ...good, signature: '0x' as Hex },
      { ...good, signature: good.signature.slice(0, -2) as Hex },
      { ...good, signature: malleable(good.signature) },
      { ...good, signature: `0x${'00'.repeat(65)}` as Hex, participant: `0x${'00'.repeat(20)}` as Address },
    ];
    for (const message of twisted) {
      await expectRevert(commitAll(world, relayer(), 1, [message]), 'BadSignature', [message.participant]);
    }
    const receipt = await commitAll(world, relayer(), 1, [...twisted, good]);
    expect(refusals(receipt)).to.deep.equal(twisted.map(({ participant }) => [participant, BAD_SIGNATURE]));
    expect((await world.round(1)).committed).to.equal(1);

    for (const person of people().slice(1)) await world.commit(person, 1);
    const reveal = await signReveal(world, alice!, 1);
    const changed = [
      { ...reveal, participant: bob!.account.address },
      { ...reveal, root: hash('another') },
      { ...reveal, normSq: reveal.normSq + 1n },
      { ...reveal, cid: cidOf('another') },
      { ...reveal, salt: hash('another') },
      await signReveal(world, alice!, 1, undefined, { opening: 9 }),
      { ...reveal, signature: malleable(reveal.signature) },
    ];
    for (const message of changed) await expectRevert(revealAll(world, relayer(), 1, [message]), 'BadSignature');
    await revealAll(world, relayer(), 1, [reveal]);
  });

  it('C-141: a message that cannot be taken is skipped, says why, and sinks nobody', async () => {
    const [alice, bob, carol, dave] = people();
    const stranger = world.participant(7);
    const [a, b, c] = await Promise.all([alice, bob, carol].map((person) => signCommit(world, person!, 1)));
    // Somebody saw the relayer's batch and sent one of its messages first.
    await commitAll(world, world.wallets[26]!, 1, [b!]);
    const unknown = await signCommit(world, stranger, 1);
    const zero = await signCommitOf(world, carol!, `0x${'00'.repeat(32)}`);
    const receipt = await commitAll(world, relayer(), 1, [unknown, b!, a!, a!, zero, c!]);
    expect(refusals(receipt)).to.deep.equal([
      [stranger.account.address, selector('NotRegistered(address,uint8)')],
      [bob!.account.address, selector('AlreadyCommitted(uint64,address)')],
      [alice!.account.address, selector('AlreadyCommitted(uint64,address)')],
      [carol!.account.address, selector('EmptyCommitHash()')],
    ]);
    expect((await world.round(1)).committed).to.equal(3);
    await commitAll(world, relayer(), 1, [await signCommit(world, dave!, 1)]);

    const broken = { ...world.update(alice!, 1), salt: hash('forgotten') };
    const reveals = [
      await signReveal(world, stranger, 1),
      await signReveal(world, alice!, 1, broken),
      await signReveal(world, bob!, 1, { ...world.update(bob!, 1), root: `0x${'00'.repeat(32)}` }),
      await signReveal(world, bob!, 1, { ...world.update(bob!, 1), normSq: 1_000_001n }),
      await signReveal(world, bob!, 1, { ...world.update(bob!, 1), cid: '0x1234' }),
      await signReveal(world, carol!, 1),
      await signReveal(world, carol!, 1),
      await signReveal(world, dave!, 1),
    ];
    const opened = await revealAll(world, relayer(), 1, reveals);
    expect(refusals(opened).map(([, reason]) => reason)).to.deep.equal(
      [
        'NotCommitted(uint64,address)',
        'CommitHashMismatch(bytes32,bytes32)',
        'ZeroRoot()',
        'NormAboveBound(uint64,uint64)',
        'InvalidCid(bytes)',
        'AlreadyRevealed(uint64,address)',
      ].map(selector),
    );
    const view = await world.round(1);
    expect([view.phase, view.revealed]).to.deep.equal([Phase.Reveal, 2]);
  });

  it('C-142: a batch that does nothing fails, with the reason of its first message', async () => {
    await expectRevert(commitAll(world, relayer(), 1, []), 'NothingAccepted');
    const stranger = await signCommit(world, world.participant(7), 1);
    await expectRevert(commitAll(world, relayer(), 1, [stranger]), 'NotRegistered', [
      stranger.participant,
      Role.Participant,
    ]);
    // And it leaves nothing behind: the first message that was refused did not start the clock.
    expect(await world.phase(1)).to.equal(Phase.Open);
    const [early] = await openAll(1);
    await expectRevert(revealAll(world, relayer(), 1, [early!]), 'WrongPhase', [1n, Phase.Open, Phase.Reveal]);
    await expectRevert(revealAll(world, relayer(), 1, []), 'NothingAccepted');
    const future = await Promise.all(people().map((person) => signCommit(world, person, 2, world.update(person, 2))));
    await expectRevert(commitAll(world, relayer(), 2, future), 'WrongPhase', [2n, Phase.None, Phase.Commit]);
  });

  it('who joined too late for the list is skipped, also by the batch that closes the list', async () => {
    const late = world.participant(5);
    await world.commit(people()[0]!, 1);
    await world.register(late);
    const receipt = await commitAll(world, relayer(), 1, [
      await signCommit(world, late, 1),
      await signCommit(world, people()[1]!, 1),
    ]);
    expect(refusals(receipt)).to.deep.equal([[late.account.address, selector('NotExpected(uint64,address)')]]);
  });

  it('a missed reveal is charged on the way; who falls below the stake is skipped', async () => {
    const [alice, bob, carol, dave] = people();
    await world.topUp(bob!, Role.Participant, STAKE);
    for (const person of people()) await world.commit(person, 1);
    await world.passDeadline(1);
    expect(await world.phase(1)).to.equal(Phase.Abandoned);
    const batch = await Promise.all(people().map((person) => signCommit(world, person, 2)));
    const receipt = await commitAll(world, relayer(), 2, batch);
    expect(world.eventNames(receipt).filter((name) => name === 'RevealMissed')).to.have.length(4);
    expect(refusals(receipt)).to.deep.equal(
      [alice, carol, dave].map((person) => [person!.account.address, selector('StakeTooLow(uint256,uint256)')]),
    );
    expect((await world.participantOf(bob!)).committedRound).to.equal(2n);
    expect(await world.read('activeParticipantCount')).to.equal(1);
    await world.checkBooks();
  });

  it('a message dies with the opening it was signed for', async () => {
    world.close();
    world = await World.create({ harness: true });
    await world.play(1);
    const before = await signAll(2);
    await commitAll(world, relayer(), 2, before.slice(0, 1));
    await world.send(world.wallets[0]!, 'voidPublication', [1n]);
    await world.publish(await world.leader(1), 1, 1);
    await expectRevert(commitAll(world, relayer(), 2, before), 'BadSignature');
    await commitAll(world, relayer(), 2, await signAll(2));
    expect((await world.round(2)).phase).to.equal(Phase.Reveal);
  });

  describe('of an account that is a contract (ERC-1271)', () => {
    const Mood = { Honest: 0, Sloppy: 1, Burning: 2, Reverting: 3, Verbose: 4 } as const;
    let wallet: { address: Address; abi: Abi };
    let owner: Wallet;

    beforeEach(async () => {
      owner = world.wallets[20]!;
      const deployed = await world.connection.viem.deployContract('SmartWallet', [], { client: { wallet: owner } });
      wallet = { address: deployed.address, abi: deployed.abi as Abi };
      const register = callOf(world, 'registerParticipant', ['', STAKE, '0x']);
      await world.sendTo(wallet.address, wallet.abi, owner, 'execute', [world.federation, register], STAKE);
    });

    /** Its owner's key signs for it. */
    const commitOf = async (signer: Wallet) => {
      const as = { ...signer, account: { ...signer.account, address: wallet.address } } as Wallet;
      const update = world.update(as, 1);
      const commitHash = await world.seal(as, 1, update);
      const { signature } = await signCommitOf(world, signer, commitHash);
      return { update, message: { participant: wallet.address, commitHash, signature } };
    };

    it('is taken when the contract says so', async () => {
      const { update, message } = await commitOf(owner);
      const { message: forged } = await commitOf(world.participant(0));
      await expectRevert(commitAll(world, relayer(), 1, [forged]), 'BadSignature', [wallet.address]);
      await commitAll(world, relayer(), 1, [message, ...(await signAll(1))]);
      expect(await world.phase(1)).to.equal(Phase.Reveal);
      const { opening } = await world.round(1);
      const typed = revealUpdateTypedData(
        { chainId: 31337, federation: world.federation },
        { round: 1n, opening, ...update, cidHash: keccak256(update.cid) },
      );
      const signature = await sign(owner, typed);
      await revealAll(world, relayer(), 1, [{ participant: wallet.address, ...update, signature }]);
      expect((await world.read('participant', [wallet.address])).revealed).to.equal(true);
    });

    for (const mood of ['Sloppy', 'Burning', 'Reverting', 'Verbose'] as const) {
      it(`C-141: one that is ${mood.toLowerCase()} is refused and sinks nobody`, async () => {
        const { message } = await commitOf(owner);
        await world.sendTo(wallet.address, wallet.abi, owner, 'setMood', [Mood[mood]]);
        const receipt = await commitAll(world, relayer(), 1, [message, ...(await signAll(1))]);
        expect(refusals(receipt)).to.deep.equal([[wallet.address.toLowerCase(), BAD_SIGNATURE]]);
        expect((await world.round(1)).committed).to.equal(4);
        expect(Number(receipt.gasUsed), 'bounded').to.be.below(800_000);
      });
    }
  });
});

async function signCommitOf(world: World, wallet: Wallet, commitHash: Hex) {
  const { opening } = await world.round(1);
  const place = { chainId: 31337, federation: world.federation };
  const signature = await sign(wallet, commitUpdateTypedData(place, { round: 1n, opening, commitHash }));
  return { participant: wallet.account.address, commitHash, signature };
}

/** The other signature that the same key could have made of the same message: s in the upper half. */
function malleable(signature: Hex): Hex {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = order - BigInt(`0x${signature.slice(66, 130)}`);
  const v = signature.slice(130) === '1b' ? '1c' : '1b';
  return `0x${signature.slice(2, 66)}${s.toString(16).padStart(64, '0')}${v}`;
}

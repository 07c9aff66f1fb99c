/** Stakes, penalties and rewards in an ERC-20, and the tokens and receivers that have broken contracts before. */
import { expect } from 'chai';
import { type Abi, type Address, encodeAbiParameters, encodeFunctionData, type Hex, parseSignature } from 'viem';
import { callOf, type Wallet } from './support/signed.ts';
import {
  BURN_ADDRESS,
  type Contract,
  expectRevert,
  type Parameters,
  Phase,
  Role,
  STAKE,
  World,
} from './support/world.ts';

const PENALTY = STAKE / 10n;

describe('money', () => {
  let world: World;
  let token: Contract;
  afterEach(() => world.close());

  const people = () => [0, 1, 2, 3].map((i) => world.participant(i));
  const tell = (wallet: Wallet, functionName: string, args: unknown[] = []) =>
    world.sendTo(token.address, token.abi, wallet, functionName, args);
  const register = async () => {
    for (const person of people()) await world.register(person);
    for (const i of [0, 1]) await world.registerAggregator(world.aggregator(i));
  };
  const create = async (parameters: Partial<Parameters> = {}) => {
    world = await World.create({ participants: 0, aggregators: 0 });
    token = await world.useToken(parameters);
  };

  describe('in a token', () => {
    it('a federation lives its whole life: stakes, penalties, rewards, withdrawals', async () => {
      await create({ roundReward: STAKE });
      await register();
      await world.checkBooks();
      const [alice] = people();
      const before = await world.held(alice!.account.address);
      await world.topUp(alice!, Role.Participant, 3n * PENALTY);
      expect(before - (await world.held(alice!.account.address))).to.equal(3n * PENALTY);
      await world.fundRewards(world.wallets[25]!, 2n * STAKE);
      for (const person of people()) await world.commit(person, 1);
      for (const person of people().slice(1)) await world.reveal(person, 1);
      await world.passDeadline(1);
      await world.publish(await world.leader(1), 1);
      await world.send(world.wallets[25]!, 'settleMissedReveal', [alice!.account.address]);
      expect(await world.held(BURN_ADDRESS)).to.equal(PENALTY);
      expect(await world.read('totalBurned')).to.equal(PENALTY);
      await world.finalize(1);
      const nothing = await world.publication(1);
      await world.send(world.wallets[25]!, 'distributeRewards', [1n, await world.reveals(1), nothing, '0x']);
      await world.checkBooks();
      const bob = world.participant(1);
      const held = await world.held(bob.account.address);
      await world.send(bob, 'withdrawCredit');
      expect(await world.held(bob.account.address)).to.equal(held + (STAKE - STAKE / 5n) / 3n);
      await world.send(alice!, 'requestExit', [Role.Participant]);
      await world.increase(60);
      await world.send(alice!, 'withdraw', [Role.Participant]);
      expect(await world.held(alice!.account.address)).to.equal(before + STAKE - PENALTY);
      expect(await world.balance(world.federation), 'and no coin').to.equal(0n);
      await world.checkBooks();
    });

    it('C-120: what is paid is what is said, in the one kind of money', async () => {
      await create();
      const alice = world.participant(0);
      const pay = (value: bigint) => world.send(alice, 'registerParticipant', ['', STAKE, '0x'], value);
      await expectRevert(pay(STAKE), 'WrongPayment', [0n, STAKE]);
      await expectRevert(pay(1n), 'WrongPayment', [0n, 1n]);
      await tell(alice, 'approve', [world.federation, STAKE - 1n]);
      await expectRevert(pay(0n), 'ERC20InsufficientAllowance');
      await tell(alice, 'approve', [world.federation, STAKE]);
      await pay(0n);
      // And where coin is what counts, it is sent with the call.
      world.token = null;
      world.federation = await world.createFederation();
      for (const value of [0n, STAKE - 1n, STAKE + 1n]) {
        await expectRevert(pay(value), 'WrongPayment', [STAKE, value]);
      }
      await pay(STAKE);
      const topUp = world.send(alice, 'topUp', [Role.Participant, 5n, '0x'], 4n);
      await expectRevert(topUp, 'WrongPayment', [5n, 4n]);
      await expectRevert(world.send(alice, 'fundRewards', [5n, '0x'], 6n), 'WrongPayment', [5n, 6n]);
      await world.checkBooks();
    });

    it('C-121: one that keeps a fee is refused, wherever money comes in', async () => {
      await create();
      await register();
      await tell(world.wallets[0]!, 'setFee', [1n]);
      const received = (amount: bigint) => amount - amount / 10_000n;
      const late = world.participant(5);
      await expectRevert(world.register(late), 'WrongPayment', [STAKE, received(STAKE)]);
      await expectRevert(world.registerAggregator(late), 'WrongPayment', [2n * STAKE, received(2n * STAKE)]);
      await expectRevert(world.topUp(people()[0]!, Role.Participant, STAKE), 'WrongPayment');
      await expectRevert(world.fundRewards(late, STAKE), 'WrongPayment');
      await tell(world.wallets[0]!, 'setFee', [0n]);
      await tell(world.wallets[0]!, 'setReturnsFalse', [true]);
      await expectRevert(world.register(late), 'SafeERC20FailedOperation', [token.address]);
      await world.checkBooks();
    });

    it('C-124: one that is no contract is refused when the federation is created', async () => {
      await create();
      const nobody = '0x00000000000000000000000000000000000beef1';
      await expectRevert(world.requestFederation({ stakeToken: nobody }), 'NoCode', [nobody]);
    });
  });

  describe('by permit', () => {
    const permit = async (wallet: Wallet, value: bigint, deadline = 2n ** 63n): Promise<Hex> => {
      const reader = await world.connection.viem.getPublicClient();
      const owner = wallet.account.address;
      const nonce = await reader.readContract({ ...token, functionName: 'nonces', args: [owner] });
      const signature = await wallet.signTypedData({
        domain: { name: 'Test token', version: '1', chainId: 31337, verifyingContract: token.address },
        types: {
          Permit: [
            { name: 'owner', type: 'address' },
            { name: 'spender', type: 'address' },
            { name: 'value', type: 'uint256' },
            { name: 'nonce', type: 'uint256' },
            { name: 'deadline', type: 'uint256' },
          ],
        },
        primaryType: 'Permit',
        message: { owner, spender: world.federation, value, nonce: nonce as bigint, deadline },
      });
      const { r, s, yParity } = parseSignature(signature);
      const types = ['uint256', 'uint256', 'uint8', 'bytes32', 'bytes32'].map((type) => ({ type }));
      return encodeAbiParameters(types, [value, deadline, yParity + 27, r, s]);
    };
    const arrive = (wallet: Wallet, bytes: Hex) => world.send(wallet, 'registerParticipant', ['', STAKE, bytes]);

    beforeEach(async () => {
      await create();
      for (const person of people()) await tell(person, 'approve', [world.federation, 0n]);
    });

    it('one transaction approves and pays, in every action that takes money', async () => {
      const [alice, bob] = people();
      await arrive(alice!, await permit(alice!, STAKE));
      await world.send(alice!, 'topUp', [Role.Participant, 7n, await permit(alice!, 7n)]);
      await world.send(bob!, 'registerAggregator', ['', 2n * STAKE, await permit(bob!, 2n * STAKE)]);
      await world.send(bob!, 'fundRewards', [9n, await permit(bob!, 9n)]);
      expect((await world.participantOf(alice!)).stake).to.equal(STAKE + 7n);
      await world.checkBooks();
    });

    it('C-122: one that somebody has used first stops nobody', async () => {
      const [alice] = people();
      const bytes = await permit(alice!, STAKE);
      const [value, deadline, v, r, s] = [0, 1, 2, 3, 4].map((i) =>
        BigInt(`0x${bytes.slice(2 + 64 * i, 66 + 64 * i)}`),
      );
      const word = (x: bigint) => `0x${x.toString(16).padStart(64, '0')}`;
      const args = [alice!.account.address, world.federation, value, deadline, Number(v), word(r!), word(s!)];
      await tell(world.wallets[25]!, 'permit', args);
      await arrive(alice!, bytes);
      expect((await world.participantOf(alice!)).stake).to.equal(STAKE);
    });

    it('one that is void leaves it to the allowance', async () => {
      const [alice, bob] = people();
      const expired = await permit(alice!, STAKE, 1n);
      await expectRevert(arrive(alice!, expired), 'ERC20InsufficientAllowance');
      await expectRevert(arrive(alice!, await permit(bob!, STAKE)), 'ERC20InsufficientAllowance');
      await expectRevert(arrive(alice!, await permit(alice!, STAKE - 1n)), 'ERC20InsufficientAllowance');
      await tell(alice!, 'approve', [world.federation, STAKE]);
      await arrive(alice!, expired);
    });
  });

  describe('that is not to be had', () => {
    it('C-123: a token that refuses the burn address stops no round; what it refused stays here for good', async () => {
      await create();
      await register();
      await tell(world.wallets[0]!, 'setRefused', [BURN_ADDRESS, true]);
      await world.contribute(1, 3);
      // The first leader misses its turn: charged by whoever acts next, and the burn is refused.
      await world.passDeadline(1);
      await world.publish(await world.leader(1), 1);
      expect(await world.phase(1)).to.equal(Phase.Challenge);
      const burned = await world.read('totalBurned');
      expect(burned).to.equal(STAKE / 5n);
      expect(await world.held(BURN_ADDRESS)).to.equal(0n);
      expect(await world.read('creditOf', [BURN_ADDRESS])).to.equal(burned);
      await world.checkBooks();
    });

    it('a receiver that the token refuses stops nobody but itself', async () => {
      await create({ roundReward: STAKE });
      await register();
      await world.fundRewards(world.wallets[25]!, STAKE);
      await world.play(1);
      await world.finalize(1);
      const [alice, bob] = people();
      await tell(world.wallets[0]!, 'setRefused', [alice!.account.address, true]);
      const nothing = await world.publication(1);
      await world.send(world.wallets[25]!, 'distributeRewards', [1n, await world.reveals(1), nothing, '0x']);
      await world.send(bob!, 'withdrawCredit');
      await expectRevert(world.send(alice!, 'withdrawCredit'), 'Refused', [alice!.account.address]);
      await world.checkBooks();
      await tell(world.wallets[0]!, 'setRefused', [alice!.account.address, false]);
      await world.send(alice!, 'withdrawCredit');
      await world.checkBooks();
    });
  });

  describe('C-125: of somebody who re-enters', () => {
    let wallet: Contract;
    let owner: Wallet;

    const deploy = async () => {
      owner = world.wallets[20]!;
      const { address, abi } = await world.connection.viem.deployContract('SmartWallet', [], {
        client: { wallet: owner },
      });
      wallet = { address, abi: abi as Abi };
      world.others.push(address);
    };
    const through = (target: Address, call: Hex, value = 0n) =>
      world.sendTo(wallet.address, wallet.abi, owner, 'execute', [target, call], value);
    const whenTouched = (call: Hex) =>
      world.sendTo(wallet.address, wallet.abi, owner, 'whenTouched', [world.federation, call]);
    const outcome = async () => {
      const reader = await world.connection.viem.getPublicClient();
      const [reentered, refusal] = await Promise.all([
        reader.readContract({ ...wallet, functionName: 'reentered' }),
        reader.readContract({ ...wallet, functionName: 'refusal' }),
      ]);
      return { reentered, tried: (refusal as Hex).length > 2 || reentered };
    };
    const call = (functionName: string, ...args: unknown[]) => callOf(world, functionName, args);

    it('a withdrawal of coin pays once', async () => {
      world = await World.create();
      await deploy();
      await through(world.federation, call('registerParticipant', '', STAKE, '0x'), STAKE);
      await through(world.federation, call('requestExit', Role.Participant));
      await world.increase(60);
      await whenTouched(call('withdraw', Role.Participant));
      await through(world.federation, call('withdraw', Role.Participant));
      expect(await world.balance(wallet.address)).to.equal(STAKE);
      expect(await outcome()).to.deep.equal({ reentered: false, tried: true });
      await world.checkBooks();
    });

    it('a withdrawal of tokens pays once', async () => {
      await create();
      await register();
      await deploy();
      await tokens();
      await through(world.federation, call('registerParticipant', '', STAKE, '0x'));
      await through(world.federation, call('requestExit', Role.Participant));
      await world.increase(60);
      await listen();
      await whenTouched(call('withdraw', Role.Participant));
      await through(world.federation, call('withdraw', Role.Participant));
      expect(await world.held(wallet.address)).to.equal(10n * STAKE);
      expect(await outcome()).to.deep.equal({ reentered: false, tried: true });
      await world.checkBooks();
    });

    it('a payment counts once: two of them nested are refused as a wrong amount', async () => {
      await create();
      await register();
      await deploy();
      await tokens();
      await listen();
      // The token calls the payer before it moves anything: the inner payment arrives within the outer one's count.
      await whenTouched(call('registerAggregator', '', 2n * STAKE, '0x'));
      await expectRevert(through(world.federation, call('registerParticipant', '', STAKE, '0x')), 'WrongPayment', [
        STAKE,
        3n * STAKE,
      ]);
      await world.checkBooks();
      // One that is refused inside changes nothing outside.
      await whenTouched(call('topUp', Role.Participant, 1n, '0x'));
      await through(world.federation, call('registerParticipant', '', STAKE, '0x'));
      expect((await world.read('participant', [wallet.address])).stake).to.equal(STAKE);
      expect(await outcome()).to.deep.equal({ reentered: false, tried: true });
      await world.checkBooks();
    });

    it('a payment with a withdrawal inside is refused, too', async () => {
      await create();
      await register();
      await deploy();
      await tokens();
      await through(world.federation, call('registerParticipant', '', STAKE, '0x'));
      await through(world.federation, call('requestExit', Role.Participant));
      await world.increase(60);
      await listen();
      await whenTouched(call('withdraw', Role.Participant));
      const funding = through(world.federation, call('fundRewards', 2n * STAKE, '0x'));
      await expectRevert(funding, 'WrongPayment', [2n * STAKE, STAKE]);
      await world.checkBooks();
    });

    const tokens = async () => {
      await tell(owner, 'mint', [wallet.address, 10n * STAKE]);
      const approve = [world.federation, 100n * STAKE];
      await through(token.address, encode(token.abi, 'approve', approve));
    };
    const listen = () => through(token.address, encode(token.abi, 'listen', []));
  });
});

function encode(abi: Abi, functionName: string, args: readonly unknown[]): Hex {
  return encodeFunctionData({ abi, functionName, args });
}

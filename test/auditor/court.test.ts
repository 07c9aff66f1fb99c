/** What a watchtower sends, it sends once: across retries, restarts, and transactions that a node forgot. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { getAddress, Interface } from 'ethers';
import type { Account, Call, Sent } from '../../auditor/chain/account.ts';
import type { ChallengeOpened } from '../../auditor/chain/decodeEvents.ts';
import { prepareBond } from '../../auditor/disputes/payment.ts';
import { Court } from '../../auditor/watch/court.ts';
import { Journal } from '../../auditor/watch/journal.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { account, CHAIN_ID, FEDERATION } from './fixtures/federation.ts';

const HEAD = { chainId: CHAIN_ID, federation: FEDERATION };
const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`;
const CHALLENGE = { id: hash(0xc0), round: 1 } as ChallengeOpened;
const FACTS = { federation: FEDERATION } as never;

/** An account whose transactions become what the test says. */
class StubAccount {
  readonly address = account(7);
  readonly sent: Call[] = [];
  fates: Record<Hex, Sent | 'reverted' | 'pending' | 'lost'> = {};
  dies = false;

  async send(call: Call, onSigned: (transaction: Hex) => Promise<void> | void): Promise<Sent> {
    this.sent.push(call);
    const transaction = hash(this.sent.length);
    await onSigned(transaction);
    if (this.dies) throw new Error('killed');
    return sentAs(transaction);
  }

  async fate(transaction: Hex) {
    return this.fates[transaction] ?? 'lost';
  }
}

function sentAs(transaction: Hex): Sent {
  return { transaction, gasUsed: 21_000n, blockNumber: 1, events: [] };
}

describe('a bond', () => {
  const token = account(0x20);
  const erc20 = new Interface([
    'function allowance(address owner, address spender) view returns (uint256)',
    'function approve(address spender, uint256 value) returns (bool)',
  ]);
  const payerWith = (allowance: bigint) => {
    const approvals: bigint[] = [];
    const payer = {
      address: account(7),
      async simulate({ to, data }: Call) {
        expect([to, erc20.parseTransaction({ data })?.args.toArray()]).to.deep.equal([
          token,
          [account(7), FEDERATION].map(getAddress),
        ]);
        return erc20.encodeFunctionResult('allowance', [allowance]);
      },
      async send({ to, data, value }: Call) {
        const approval = erc20.parseTransaction({ data });
        expect([to, value, approval?.name, approval?.args[0]]).to.deep.equal([
          token,
          0n,
          'approve',
          getAddress(FEDERATION),
        ]);
        approvals.push(approval?.args[1] as bigint);
        return sentAs(hash(1));
      },
    };
    return { payer: payer as unknown as Account, approvals };
  };

  it('goes along as coin, or is allowed to be taken as a token, no more than it takes', async () => {
    const coin = payerWith(0n);
    expect(await prepareBond(coin.payer, FEDERATION, { stakeToken: `0x${'00'.repeat(20)}` }, 9n)).to.equal(9n);
    expect(coin.approvals).to.deep.equal([]);
    const poor = payerWith(8n);
    expect(await prepareBond(poor.payer, FEDERATION, { stakeToken: token }, 9n)).to.equal(0n);
    expect(poor.approvals).to.deep.equal([9n]);
    const allowed = payerWith(9n);
    expect(await prepareBond(allowed.payer, FEDERATION, { stakeToken: token }, 9n)).to.equal(0n);
    expect(allowed.approvals).to.deep.equal([]);
  });
});

describe('the journal of a watchtower', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-watch-'));
    path = join(folder, 'watch.json');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const courtOf = async (stub: StubAccount): Promise<Court> =>
    new Court(stub as unknown as Account, await Journal.open(path, HEAD));

  it('what was sent before a crash and is in a block is not sent again', async () => {
    const stub = new StubAccount();
    stub.dies = true;
    await (await courtOf(stub)).settle(FACTS, CHALLENGE).catch(() => undefined);
    expect(JSON.parse(await readFile(path, 'utf8')).sent).to.deep.equal({ [`settle/${CHALLENGE.id}`]: hash(1) });
    stub.dies = false;
    stub.fates = { [hash(1)]: sentAs(hash(1)) };
    const again = await (await courtOf(stub)).settle(FACTS, CHALLENGE);
    expect(again?.transaction).to.equal(hash(1));
    expect(stub.sent.length).to.equal(1);
  });

  it('what is on its way is waited for; what was lost, or reverted, is sent anew', async () => {
    const stub = new StubAccount();
    const court = await courtOf(stub);
    await court.settle(FACTS, CHALLENGE);
    stub.fates = { [hash(1)]: 'pending' };
    expect(await court.settle(FACTS, CHALLENGE)).to.equal(null);
    expect(stub.sent.length).to.equal(1);
    stub.fates = { [hash(1)]: 'lost' };
    expect((await court.settle(FACTS, CHALLENGE))?.transaction).to.equal(hash(2));
    stub.fates = { [hash(2)]: 'reverted' };
    expect((await court.settle(FACTS, CHALLENGE))?.transaction).to.equal(hash(3));
  });

  it('different things are sent separately', async () => {
    const stub = new StubAccount();
    const court = await courtOf(stub);
    await court.settle(FACTS, CHALLENGE);
    await court.settle(FACTS, { ...CHALLENGE, id: hash(0xc1) });
    await court.answer(FACTS, CHALLENGE, Uint8Array.of(1));
    expect(stub.sent.map(({ what }) => what.split(' ').slice(0, 2).join(' '))).to.deep.equal([
      'the settlement',
      'the settlement',
      'the answer',
    ]);
  });

  it('of another federation, or of something else, is refused', async () => {
    await (await courtOf(new StubAccount())).settle(FACTS, CHALLENGE);
    const failure = async (head: typeof HEAD) => {
      const error = await Journal.open(path, head).then(
        () => null,
        (e: unknown) => e,
      );
      expect(error).to.be.instanceOf(AssayError);
      return (error as AssayError).code;
    };
    expect(await failure({ ...HEAD, federation: account(1) })).to.equal('WATCH_STATE');
    expect(await failure({ ...HEAD, chainId: 1 })).to.equal('WATCH_STATE');
    await writeFile(path, '{"format":"assay-watch/1",');
    expect(await failure(HEAD)).to.equal('WATCH_STATE');
  });
});

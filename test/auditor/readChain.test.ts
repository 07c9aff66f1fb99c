import { expect } from 'chai';
import { decodeEvents } from '../../auditor/chain/decodeEvents.ts';
import { readChain } from '../../auditor/chain/readChain.ts';
import { AssayError } from '../../protocol/errors.ts';
import { parseRule } from '../../protocol/index.ts';
import { buildWorld, FEDERATION, type World } from './fixtures/federation.ts';
import { type RpcFaults, type RpcServer, startRpcServer } from './fixtures/rpcServer.ts';

describe('reading a federation from a node', () => {
  const servers: RpcServer[] = [];
  let world: World;

  before(() => {
    world = buildWorld({ rule: parseRule('nnm+trimmed-mean', 2), rounds: 2, voided: { 2: [1] } });
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  const serve = async (faults: RpcFaults = {}): Promise<RpcServer> => {
    const server = await startRpcServer(world.facts, faults);
    servers.push(server);
    return server;
  };
  const quick = { attempts: 3, retryMilliseconds: 5, federation: FEDERATION };
  const failure = async (reading: Promise<unknown>): Promise<AssayError> => {
    const error = await reading.then(
      () => new Error('it was read'),
      (e: unknown) => e,
    );
    expect(error).to.be.instanceOf(AssayError);
    return error as AssayError;
  };

  it('reads parameters, state, events, calldata and blocks as they are', async () => {
    const { url } = await serve();
    const facts = await readChain({ ...quick, rpcUrl: url });
    const published = facts.blocks.map(({ number }) => number);
    expect(published.length).to.equal(2);
    expect({ ...facts, blocks: [] }).to.deep.equal({ ...world.facts, blocks: [] });
    expect(facts.blocks).to.deep.equal(world.facts.blocks.filter(({ number }) => published.includes(number)));
  });

  it('takes receipts and all headers for a bundle', async () => {
    const { url } = await serve();
    const facts = await readChain({ ...quick, rpcUrl: url, withReceipts: true });
    expect(facts.blocks.length).to.equal(facts.logs.length);
    expect(facts.receipts.length).to.equal(facts.logs.length);
    expect(facts.receipts[0]).to.include({ gasUsed: 54_321, status: 1 });
  });

  it('asks for logs in ranges that the node accepts', async () => {
    const { url, requests } = await serve({ mostBlocks: 7 });
    const facts = await readChain({ ...quick, rpcUrl: url });
    expect(facts.logs).to.deep.equal(world.facts.logs);
    expect(requests.filter((method) => method === 'eth_getLogs').length).to.be.greaterThan(world.facts.logs.length / 7);
  });

  it('a first block that is too late is the user’s mistake, not a finding against anybody', async () => {
    const { url } = await serve();
    const lastRegistration = Math.max(
      ...decodeEvents(world.facts.logs)
        .filter(({ name }) => name === 'participantRegistered')
        .map(({ place }) => place.blockNumber),
    );
    const late = await failure(readChain({ ...quick, rpcUrl: url, fromBlock: lastRegistration + 1 }));
    expect(late.code).to.equal('FROM_BLOCK');
    expect(late.message).to.match(/Received: block \d+, after which nobody registered/);
    const early = await readChain({ ...quick, rpcUrl: url, fromBlock: 0 });
    expect(early.logs).to.deep.equal(world.facts.logs);
  });

  it('finds the first block of a federation on a long chain', async () => {
    const far = 1_000_000;
    const late = {
      ...world.facts,
      head: { ...world.facts.head, number: world.facts.head.number + far },
      blocks: world.facts.blocks.map((block) => ({ ...block, number: block.number + far })),
      logs: world.facts.logs.map((log) => ({ ...log, blockNumber: log.blockNumber + far })),
    };
    const server = await startRpcServer(late, { codeFrom: far + 1, mostBlocks: 500 });
    servers.push(server);
    const facts = await readChain({ ...quick, rpcUrl: server.url });
    expect(facts.logs).to.deep.equal(late.logs);
    expect(server.requests.filter((method) => method === 'eth_getCode').length).to.be.within(20, 24);
    expect(server.requests.filter((method) => method === 'eth_getLogs').length).to.be.lessThan(5);
  });

  it('tries again with a message while the node is away, and goes on when it is back', async () => {
    const { url } = await serve({ failures: 2, failAfter: 3 });
    const messages: string[] = [];
    const facts = await readChain({ ...quick, rpcUrl: url, onRetry: (message) => messages.push(message) });
    expect(facts.logs.length).to.equal(world.facts.logs.length);
    expect(messages.join('\n')).to.match(/did not answer .* attempt 2 of 3/);
  });

  it('ends clearly when the node goes away in the middle', async () => {
    const { url } = await serve({ failures: 1000, failAfter: 4 });
    const error = await failure(readChain({ ...quick, rpcUrl: url }));
    expect(error.code).to.equal('RPC_UNREACHABLE');
    expect(error.message).to.contain(url).and.to.contain('3 attempts');
  });

  it('ends clearly when there is no node at all', async () => {
    const { url, close } = await startRpcServer(world.facts);
    await close();
    const messages: string[] = [];
    const error = await failure(readChain({ ...quick, rpcUrl: url, onRetry: (message) => messages.push(message) }));
    expect(error.code).to.equal('RPC_UNREACHABLE');
    expect(messages.length).to.equal(2);
  });

  it('refuses another chain, an address without code, another contract, and what is no address', async () => {
    const { url } = await serve();
    expect((await failure(readChain({ ...quick, rpcUrl: url, chainId: 1 }))).code).to.equal('WRONG_CHAIN');
    const nobody = `0x${'01'.repeat(20)}`;
    expect((await failure(readChain({ ...quick, rpcUrl: url, federation: nobody }))).code).to.equal('NO_CONTRACT');
    expect((await failure(readChain({ ...quick, rpcUrl: url, federation: '0x12' }))).code).to.equal(
      'FEDERATION_ADDRESS',
    );
    expect((await failure(readChain({ ...quick, rpcUrl: 'localhost' }))).code).to.equal('RPC_URL');
    const other = await serve({ callsRevert: true });
    expect((await failure(readChain({ ...quick, rpcUrl: other.url }))).code).to.equal('NOT_A_FEDERATION');
  });

  it('gives up on a chain that reorganises at every reading', async () => {
    const { url } = await serve({ reorganises: true });
    expect((await failure(readChain({ ...quick, rpcUrl: url }))).code).to.equal('CHAIN_MOVING');
  });
});

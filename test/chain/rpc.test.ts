import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { generatePrivateKey } from 'viem/accounts';
import { connect, signerOf } from '../../chain/rpc.ts';
import { expectError } from '../client/support/expectError.ts';
import { until } from '../scenarios/support/world.ts';

type Answer = (response: ServerResponse, question: { id: number; method: string }) => void;

const result =
  (value: unknown): Answer =>
  (response, { id }) =>
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: value }));
const status =
  (code: number): Answer =>
  (response) => {
    response.statusCode = code;
    response.end('busy');
  };
const hangUp: Answer = (response) => response.destroy();
const silence: Answer = () => undefined;
const halfAnAnswer: Answer = (response) => void response.writeHead(200, { 'Content-Length': 100 }).write('{');

describe('chain: the connection and its patience', () => {
  let server: Server;
  let url: string;
  let answers: Answer[];
  let otherwise: Answer;
  beforeEach(async () => {
    answers = [];
    otherwise = result('0x7a69');
    server = createServer(async (request: IncomingMessage, response) => {
      let body = '';
      for await (const piece of request) body += String(piece);
      (answers.shift() ?? otherwise)(response, JSON.parse(body) as { id: number; method: string });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('waits through broken connections and a proxy that answers for the node, and says so once', async () => {
    answers = [hangUp, status(503), status(429), result('0x7a69')];
    const messages: string[] = [];
    const { chainId } = await connect({ rpcUrl: url, onConnection: (message) => messages.push(message) });
    expect(chainId).to.equal(31337);
    expect(messages).to.deep.equal([
      `the chain at ${url} does not answer; waiting for it`,
      `the chain at ${url} answers again`,
    ]);
  });

  it('the newest block is that of the question, not of one that was asked before and is still under way', async () => {
    const { publicClient } = await connect({ rpcUrl: url });
    const late = Promise.withResolvers<void>();
    answers = [(...to) => void late.promise.then(() => result('0x1')(...to)), result('0x2'), result('0x3')];
    const first = publicClient.getBlockNumber();
    await until('the first question', () => answers.length === 2);
    const second = publicClient.getBlockNumber();
    await until('the second question', () => answers.length === 1, 10);
    late.resolve();
    expect([await first, await second, await publicClient.getBlockNumber()]).to.deep.equal([1n, 2n, 3n]);
  });

  it('gives up after the patience with one message, as an AssayError whatever was asked', async () => {
    const connection = await connect({ rpcUrl: url, patienceSeconds: 0.4 });
    otherwise = hangUp;
    const { publicClient } = connection;
    const address = '0x0000000000000000000000000000000000000001';
    const { wallet } = signerOf(connection, generatePrivateKey());
    for (const ask of [
      () => publicClient.getBalance({ address }),
      () => publicClient.getBlock(),
      () => publicClient.getCode({ address }),
      () => wallet.prepareTransactionRequest({ to: address, value: 1n }),
    ]) {
      await expectError(ask, 'RPC_DOWN', /has not answered for \d+ s[\s\S]*start the node or correct --rpc-url/);
    }
  });

  it('a node that accepts and never answers is down after the patience, not after the longest answer', async () => {
    for (otherwise of [silence, halfAnAnswer]) {
      await expectError(() => connect({ rpcUrl: url, patienceSeconds: 0.5 }), 'RPC_DOWN', /no answer within 0.5 s/);
    }
  });

  it('an answer that is an error of the node is no silence: it is not repeated', async () => {
    const connection = await connect({ rpcUrl: url, patienceSeconds: 5 });
    let asked = 0;
    otherwise = (response, { id }) => {
      asked++;
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message: 'header not found' } }));
    };
    const error = await connection.publicClient.getBlock().catch((failure: unknown) => failure);
    expect(String(error)).to.match(/header not found/);
    expect(asked).to.equal(1);
  });

  it('refuses another chain and addresses that cannot be asked', async () => {
    await expectError(() => connect({ rpcUrl: url, chainId: 1 }), 'WRONG_CHAIN', /chain id 1\n[\s\S]*chain id 31337/);
    for (const rpcUrl of ['localhost:8545', 'ftp://127.0.0.1', 'chain']) {
      await expectError(() => connect({ rpcUrl }), 'RPC_URL', /http:\/\/127\.0\.0\.1:8545/);
    }
  });
});

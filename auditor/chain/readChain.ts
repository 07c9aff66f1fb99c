/** Reads everything an audit needs from a node's RPC endpoint, all state at one block. */
import { type Block, Interface, type JsonRpcProvider, type Result } from 'ethers';
import { COMBINES, unpackStages } from '../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS } from '../../protocol/aggregation/serverStep.ts';
import { fromHex, type Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { FederationParameters } from '../../protocol/round/parameters.ts';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';
import type { BlockFact, ChainFacts, ChainReader, LogFact, ReceiptFact, RoundState } from './chainFacts.ts';
import { decodeEvents, federationInterface } from './decodeEvents.ts';
import { hexOf } from './hexOf.ts';
import { readLogs } from './readLogs.ts';
import { Rpc, type RpcOptions } from './rpc.ts';

export interface ReadChainOptions extends RpcOptions {
  /** Address of the federation's contract. */
  readonly federation: string;
  /**
   * First block that may hold one of its events. Default: on a long chain found by bisection where the node has old
   * state, else 0.
   */
  readonly fromBlock?: number | undefined;
  /** Also read every receipt and header, for a bundle. */
  readonly withReceipts?: boolean | undefined;
  /** What was read before and cannot have changed is not asked again. */
  readonly memory?: ChainMemory | undefined;
}

/** What somebody who reads the same federation again and again keeps between two readings. */
export class ChainMemory {
  parameters: FederationParameters | null = null;
  logs: readonly LogFact[] = [];
  /** The block up to which `logs` are complete. */
  through: { readonly number: number; readonly hash: Hex } | null = null;
  readonly calldata = new Map<Hex, Hex>();
  /** By hash. */
  readonly blocks = new Map<Hex, BlockFact>();
}

/** How often a chain that reorganises while it is read is read anew. */
const READINGS = 3;

/** A `ChainReader` over a node's RPC endpoint. */
export function rpcChainReader(options: ReadChainOptions): ChainReader {
  return { name: options.rpcUrl, readChain: () => readChain(options) };
}

/**
 * @throws AssayError `RPC_URL`, `RPC_UNREACHABLE`, `WRONG_CHAIN`, `FEDERATION_ADDRESS`, `NO_CONTRACT`,
 *   `NOT_A_FEDERATION`, `LOGS_REFUSED`, or `CHAIN_MOVING` when the chain reorganises again and again.
 */
export async function readChain(options: ReadChainOptions): Promise<ChainFacts> {
  if (!/^0x[0-9a-fA-F]{40}$/.test(options.federation)) {
    throw new AssayError('FEDERATION_ADDRESS', {
      summary: 'this is not the address of a contract',
      expected: '0x followed by 40 hexadecimal digits',
      received: options.federation,
    });
  }
  const rpc = await Rpc.connect(options);
  try {
    for (let reading = 1; reading <= READINGS; reading++) {
      const facts = await readOnce(rpc, options);
      const again = await rpc.ask('the head block', (provider) => provider.getBlock(facts.head.number));
      const changed = facts.logs.some((log) =>
        facts.blocks.some((block) => block.number === log.blockNumber && block.hash !== log.blockHash),
      );
      if (again !== null && again.hash === facts.head.hash && !changed) return facts;
      options.onRetry?.(`the chain was reorganised while it was read: reading it again (${reading} of ${READINGS})`);
    }
  } finally {
    rpc.close();
  }
  throw new AssayError('CHAIN_MOVING', {
    summary: 'the chain was reorganised every time it was read',
    fix: 'start the audit again when the chain is calm, or ask another node',
  });
}

async function readOnce(rpc: Rpc, options: ReadChainOptions): Promise<ChainFacts> {
  const federation = hexOf(options.federation);
  const head = blockFact(await rpc.ask('its latest block', (provider) => provider.getBlock('latest')));
  const code = await rpc.ask('the code of the contract', (provider) => provider.getCode(federation, head.number));
  if (code === '0x') {
    throw new AssayError('NO_CONTRACT', {
      summary: `there is no contract at ${options.federation}`,
      expected: `a federation on chain ${rpc.chainId}`,
      received: `no code at block ${head.number}`,
      fix: 'check the address and that the RPC endpoint belongs to the chain the federation was made on',
    });
  }
  const call = async (name: string, ...args: unknown[]): Promise<Result> => {
    const data = federationInterface.encodeFunctionData(name, args);
    try {
      const answer = await rpc.ask(`${name}()`, (p) => p.call({ to: federation, data, blockTag: head.number }));
      return federationInterface.decodeFunctionResult(name, answer);
    } catch (cause) {
      if (cause instanceof AssayError) throw cause;
      throw new AssayError('NOT_A_FEDERATION', {
        summary: `the contract at ${options.federation} does not answer as a federation`,
        expected: `an answer to ${name}()`,
        received: cause instanceof Error ? cause.message.slice(0, 200) : String(cause),
        fix: 'give the address of a federation (not of the factory or of its implementation)',
        cause,
      });
    }
  };
  const { memory = new ChainMemory() } = options;
  memory.parameters ??= decodeParameters((await call('parameters'))[0]);
  const { parameters } = memory;
  const [currentRound, lastFinalRound, totalBurned, balance, aggregators, logs] = await Promise.all([
    call('currentRound').then((result) => Number(result[0])),
    call('lastFinalRound').then((result) => Number(result[0])),
    call('totalBurned').then((result) => result[0] as bigint),
    readBalance(rpc, federation, parameters.stakeToken, head.number),
    call('aggregators').then((result) => (result[0] as Result).map(decodeAggregator)),
    logsUpTo(rpc, options, memory, head),
  ]);
  const events = decodeEvents(logs);
  // Whoever joins first leaves an event long before round 1 opens: rounds without any are a question asked too late.
  if (
    options.fromBlock !== undefined &&
    currentRound > 0 &&
    !events.some(({ name }) => name === 'participantRegistered')
  ) {
    throw new AssayError('FROM_BLOCK', {
      summary: 'the events do not begin with the federation',
      expected: 'a --from-block not after the block in which the federation was created',
      received: `block ${options.fromBlock}, after which nobody registered although round ${currentRound} is open`,
      fix: 'give an earlier block, or leave the option out: the block is then searched for',
    });
  }
  const named = events.reduce((last, event) => ('round' in event ? Math.max(last, event.round) : last), currentRound);
  const lastRound = Math.min(named, logs.length + 1); // every round but the newest has at least one event
  const reveals = new Set(events.filter(({ name }) => name === 'updateRevealed').map((e) => e.place.transactionHash));
  const published = events.filter(({ name }) => name === 'roundPublished').map((event) => event.place.blockNumber);
  const blockNumbers = new Set(options.withReceipts === true ? logs.map((log) => log.blockNumber) : published);
  const [rounds, calldata, blocks, receipts] = await Promise.all([
    Promise.all(Array.from({ length: lastRound }, async (_, i) => decodeRound((await call('round', i + 1))[0]))),
    Promise.all([...reveals].map(async (hash) => [hash, await readCalldata(rpc, hash, memory)] as const)),
    Promise.all([...blockNumbers].map((number) => readBlock(rpc, number, logs, memory))),
    options.withReceipts === true ? readReceipts(rpc, logs) : [],
  ]);
  return {
    chainId: rpc.chainId,
    federation,
    head,
    parameters,
    currentRound,
    lastFinalRound,
    totalBurned,
    balance,
    aggregators,
    rounds,
    logs: [...logs],
    revealCalldata: Object.fromEntries(calldata.filter((entry): entry is readonly [Hex, Hex] => entry[1] !== null)),
    blocks,
    receipts,
  };
}

/** Up to this height all blocks are asked at once; looking for the first one would cost more. */
const SHORT_CHAIN = 5000;

/** The block that made the contract, by bisection over its code; 0 where the node does not keep old state. */
async function firstBlock(rpc: Rpc, federation: Hex, head: number): Promise<number> {
  if (head < SHORT_CHAIN) return 0;
  const hasCode = async (number: number) =>
    (await rpc.ask(`the code at block ${number}`, (provider) => provider.getCode(federation, number))) !== '0x';
  let without = -1;
  let withCode = head;
  try {
    while (withCode - without > 1) {
      const middle = Math.floor((without + withCode) / 2);
      if (await hasCode(middle)) withCode = middle;
      else without = middle;
    }
  } catch (error) {
    if (error instanceof AssayError) throw error;
    return 0;
  }
  return withCode;
}

async function readCalldata(rpc: Rpc, hash: Hex, { calldata }: ChainMemory): Promise<Hex | null> {
  const known = calldata.get(hash);
  if (known !== undefined) return known;
  const transaction = await rpc.ask(`transaction ${hash}`, (provider) => provider.getTransaction(hash));
  if (transaction === null) return null;
  calldata.set(hash, hexOf(transaction.data));
  return hexOf(transaction.data);
}

/** All logs; those of blocks that were read before only when one of these blocks is not the one it was. */
async function logsUpTo(
  rpc: Rpc,
  { federation, fromBlock }: ReadChainOptions,
  memory: ChainMemory,
  head: BlockFact,
): Promise<readonly LogFact[]> {
  const { through } = memory;
  const same =
    through !== null &&
    through.number <= head.number &&
    (await rpc.ask(`block ${through.number}`, (provider) => provider.getBlock(through.number)))?.hash === through.hash;
  const known = same ? memory.logs : [];
  const first = same ? through.number + 1 : (fromBlock ?? (await firstBlock(rpc, hexOf(federation), head.number)));
  const fresh = first > head.number ? [] : await readLogs(rpc, hexOf(federation), first, head.number);
  memory.logs = [...known, ...fresh];
  memory.through = { number: head.number, hash: head.hash };
  return memory.logs;
}

async function readBlock(
  rpc: Rpc,
  number: number,
  logs: readonly LogFact[],
  { blocks }: ChainMemory,
): Promise<BlockFact> {
  const named = logs.find((log) => log.blockNumber === number)?.blockHash;
  const known = named === undefined ? undefined : blocks.get(named);
  if (known !== undefined) return known;
  const block = blockFact(await rpc.ask(`block ${number}`, (provider) => provider.getBlock(number)));
  blocks.set(block.hash, block);
  return block;
}

const NATIVE_COIN = `0x${'00'.repeat(20)}`;
const erc20 = new Interface(['function balanceOf(address) view returns (uint256)']);

/** What the contract holds of the coin in which stakes are paid. A token that does not answer holds nothing. */
async function readBalance(rpc: Rpc, federation: Hex, token: Hex, block: number): Promise<bigint> {
  if (token === NATIVE_COIN) {
    return rpc.ask('the balance of the contract', (provider) => provider.getBalance(federation, block));
  }
  const data = erc20.encodeFunctionData('balanceOf', [federation]);
  try {
    const answer = await rpc.ask('balanceOf()', (provider) => provider.call({ to: token, data, blockTag: block }));
    return erc20.decodeFunctionResult('balanceOf', answer)[0] as bigint;
  } catch (error) {
    if (error instanceof AssayError) throw error;
    return 0n;
  }
}

async function readReceipts(rpc: Rpc, logs: readonly LogFact[]): Promise<ReceiptFact[]> {
  const hashes = [...new Set(logs.map((log) => log.transactionHash))];
  const receipts = await Promise.all(
    hashes.map((hash) =>
      rpc.ask(`receipt ${hash}`, (provider: JsonRpcProvider) => provider.getTransactionReceipt(hash)),
    ),
  );
  return receipts.flatMap((receipt) =>
    receipt === null
      ? []
      : [
          {
            transactionHash: hexOf(receipt.hash),
            blockNumber: receipt.blockNumber,
            from: hexOf(receipt.from),
            to: receipt.to === null ? null : hexOf(receipt.to),
            gasUsed: Number(receipt.gasUsed),
            status: receipt.status,
          },
        ],
  );
}

function blockFact(block: Block | null): BlockFact {
  if (block?.hash == null) {
    throw new AssayError('BLOCK_MISSING', {
      summary: 'the Ethereum node does not have a block that it named itself',
      fix: 'wait until the node is in sync, or ask another one',
    });
  }
  const { number, hash, parentHash, timestamp } = block;
  return { number, hash: hexOf(hash), parentHash: hexOf(parentHash), timestamp };
}

function decodeParameters(p: Result): FederationParameters {
  return {
    manifestCid: fromHex(p.manifestCid),
    genesisModelRoot: hexOf(p.genesisModelRoot),
    genesisModelCid: fromHex(p.genesisModelCid),
    dimension: Number(p.dimension),
    chunkSize: Number(p.chunkSize),
    modelFractionBits: Number(p.modelFractionBits),
    updateFractionBits: Number(p.updateFractionBits),
    normSqBound: p.normSqBound as bigint,
    rule: {
      preAggregations: unpackStages(Number(p.rule.preAggregations)),
      combine: member(COMBINES, p.rule.combine),
      byzantine: Number(p.rule.byzantine),
      selected: Number(p.rule.selected),
      bucketSize: Number(p.rule.bucketSize),
      iterations: Number(p.rule.iterations),
      reference: Number(p.rule.referenceIndex),
      radius: p.rule.radius as bigint,
    },
    serverStep: {
      optimizer: member(SERVER_OPTIMIZERS, p.serverStep.optimizer),
      learningRateQ16: Number(p.serverStep.learningRateQ16),
      momentumQ16: Number(p.serverStep.momentumQ16),
      secondMomentQ16: Number(p.serverStep.secondMomentQ16),
      adaptivity: Number(p.serverStep.adaptivity),
    },
    enforced: Boolean(p.enforced),
    openMembership: Boolean(p.openMembership),
    minParticipants: Number(p.minParticipants),
    minUpdates: Number(p.minUpdates),
    maxParticipants: Number(p.maxParticipants),
    totalRounds: Number(p.totalRounds),
    participantStake: p.participantStake as bigint,
    aggregatorStake: p.aggregatorStake as bigint,
    missedRevealPenalty: p.missedRevealPenalty as bigint,
    missedTurnPenalty: p.missedTurnPenalty as bigint,
    commitWindowSeconds: Number(p.commitWindowSeconds),
    revealWindowSeconds: Number(p.revealWindowSeconds),
    aggregateWindowSeconds: Number(p.aggregateWindowSeconds),
    challengeWindowSeconds: Number(p.challengeWindowSeconds),
    stakeToken: hexOf(p.stakeToken),
    answerWindowSeconds: Number(p.answerWindowSeconds),
    proofBond: p.proofBond as bigint,
    bondGasPrice: p.bondGasPrice as bigint,
    roundReward: p.roundReward as bigint,
    aggregatorRewardBps: Number(p.aggregatorRewardBps),
    contributionRewardBps: Number(p.contributionRewardBps),
    withdrawalDelaySeconds: Number(p.withdrawalDelaySeconds),
  };
}

function decodeAggregator(view: Result): ChainFacts['aggregators'][number] {
  return {
    account: hexOf(view.account),
    activeFromRound: Number(view.activeFromRound),
    activeUntilRound: Number(view.activeUntilRound),
  };
}

function decodeRound(view: Result): RoundState {
  return {
    number: Number(view.number),
    phase: member(ROUND_PHASES, view.phase),
    opening: Number(view.opening),
    deadline: Number(view.deadline),
    expected: Number(view.expected),
    committed: Number(view.committed),
    revealed: Number(view.revealed),
    turn: Number(view.turn),
    leader: hexOf(view.leader),
    accumulator: hexOf(view.accumulator),
    seed: hexOf(view.seed),
    baseModelRoot: hexOf(view.baseModelRoot),
    modelRoot: hexOf(view.modelRoot),
    publicationHash: hexOf(view.publicationHash),
    aggregator: hexOf(view.aggregator),
    publishedAt: Number(view.publishedAt),
    voidedBitmap: view.voidedBitmap as bigint,
    openChallenges: Number(view.openChallenges),
    holdUntil: Number(view.holdUntil),
  };
}

/** The literal that stands for a Solidity enum's member. */
function member<T>(names: readonly T[], value: bigint): T {
  const name = names[Number(value)];
  if (name === undefined) {
    throw new AssayError('UNKNOWN_ENUM', {
      summary: 'the contract uses a value that this version of the auditor does not know',
      expected: `one of ${names.join(', ')}`,
      received: String(value),
      fix: 'update Assay',
    });
  }
  return name;
}

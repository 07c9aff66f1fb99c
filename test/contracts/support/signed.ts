/** Signed messages, made by the chain's wallets. */
import { type Address, encodeFunctionData, type Hex, keccak256, type TransactionReceipt } from 'viem';
import { commitUpdateTypedData, revealUpdateTypedData, type TypedMessage } from '../../../chain/typedData.ts';
import type { Update, World } from './world.ts';

export type Wallet = World['wallets'][number];

export interface SignedCommit {
  readonly participant: Address;
  readonly commitHash: Hex;
  readonly signature: Hex;
}

export interface SignedReveal extends Update {
  readonly participant: Address;
  readonly signature: Hex;
}

/** What a signer may get wrong, by accident or not. */
export interface Twist {
  readonly chainId?: number;
  readonly federation?: Address;
  readonly round?: bigint;
  readonly opening?: number;
}

export async function sign(wallet: Wallet, message: TypedMessage): Promise<Hex> {
  return wallet.signTypedData(message as Parameters<Wallet['signTypedData']>[0]);
}

export async function signCommit(
  world: World,
  wallet: Wallet,
  round: number,
  update = world.update(wallet, round),
  twist: Twist = {},
): Promise<SignedCommit> {
  const commitHash = await world.seal(wallet, round, update);
  const { place, rounds } = await where(world, round, twist);
  const signature = await sign(wallet, commitUpdateTypedData(place, { ...rounds, commitHash }));
  return { participant: wallet.account.address, commitHash, signature };
}

export async function signReveal(
  world: World,
  wallet: Wallet,
  round: number,
  update = world.update(wallet, round),
  twist: Twist = {},
): Promise<SignedReveal> {
  const { root, normSq, cid, salt } = update;
  const { place, rounds } = await where(world, round, twist);
  const message = { ...rounds, root, normSq, cidHash: keccak256(cid), salt };
  const signature = await sign(wallet, revealUpdateTypedData(place, message));
  return { participant: wallet.account.address, ...update, signature };
}

async function where(world: World, round: number, twist: Twist) {
  const { opening } = await world.round(round);
  return {
    place: { chainId: twist.chainId ?? 31337, federation: twist.federation ?? world.federation },
    rounds: { round: twist.round ?? BigInt(round), opening: twist.opening ?? opening },
  };
}

export function commitAll(
  world: World,
  relayer: Wallet,
  round: number,
  messages: readonly SignedCommit[],
): Promise<TransactionReceipt> {
  return world.send(relayer, 'commitUpdates', [BigInt(round), messages]);
}

export function revealAll(
  world: World,
  relayer: Wallet,
  round: number,
  messages: readonly SignedReveal[],
): Promise<TransactionReceipt> {
  return world.send(relayer, 'revealUpdates', [BigInt(round), messages]);
}

/** The federation's call, as bytes for a wallet that is a contract. */
export function callOf(world: World, functionName: string, args: readonly unknown[]): Hex {
  return encodeFunctionData({ abi: world.abi, functionName, args });
}

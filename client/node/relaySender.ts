/**
 * A participant that needs no coin for gas: it signs its messages (EIP-712) and posts them to the relay of an aggregator.
 * A relay can neither forge nor change them; whatever goes wrong with it, the node sends for itself if it can pay.
 */
import type { Address } from 'viem';
import { z } from 'zod';
import type { Answer } from '../../chain/challenges.ts';
import type { Federation } from '../../chain/federation.ts';
import type { Signer } from '../../chain/rpc.ts';
import {
  answerChallengeTypedData,
  commitUpdateTypedData,
  revealUpdateTypedData,
  signTypedMessage,
} from '../../chain/typedData.ts';
import { keccak256 } from '../../protocol/commitment/keccak.ts';
import { type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { Delivered, Sender } from './sender.ts';

export interface RelaySenderOptions {
  /** Base URL of the aggregator's node, such as http://127.0.0.1:4100. */
  readonly url: string;
  readonly federation: Federation;
  readonly signer: Signer;
  /** What is used when the relay does not do it. */
  readonly instead: Sender;
  /** Told once for each failure that leads to a transaction of its own. */
  readonly onFailure?: (message: string) => void;
  /** How long the relay may take to put a message on the chain. Default 45 s. */
  readonly patienceMs?: number;
}

const DEFAULT_PATIENCE_MS = 45_000;

const acceptedSchema = z.object({
  accepted: z.literal(true),
  transaction: z.string().regex(/^0x[0-9a-f]{64}$/),
  gasUsed: z.string().regex(/^\d+$/),
});
const refusedSchema = z.object({ accepted: z.literal(false), reason: z.string() });
const descriptionSchema = z.object({ federation: z.string(), chainId: z.int(), account: z.string() });

/** @throws AssayError `RELAY_FAILED` when neither the relay nor a transaction of its own got through for lack of coin. */
export function relaySender(options: RelaySenderOptions): Sender {
  const { federation, signer, instead } = options;
  const place = { chainId: federation.connection.chainId, federation: federation.address };
  const participant = signer.account.address;
  let payee: Promise<Address> | undefined;

  const through = async (post: () => Promise<Delivered>, otherwise: () => Promise<Delivered>): Promise<Delivered> => {
    try {
      return await post();
    } catch (failure) {
      if (!(failure instanceof AssayError)) throw failure;
      options.onFailure?.(failure.message);
      try {
        return await otherwise();
      } catch (error) {
        throw error instanceof AssayError && error.code === 'UNFUNDED' ? failure : error;
      }
    }
  };

  return {
    commit: (view, commitHash) => {
      const at = { round: view.number, opening: view.opening };
      return through(
        async () => {
          const message = commitUpdateTypedData(place, { ...at, round: BigInt(at.round), commitHash });
          const signature = await signTypedMessage(signer, message);
          return post(options, { type: 'commit', participant, signature, ...at, commitHash });
        },
        () => instead.commit(view, commitHash),
      );
    },
    reveal: (view, submission) => {
      const at = { round: view.number, opening: view.opening };
      const { root, normSq, cid, salt } = submission;
      return through(
        async () => {
          const cidHash = keccak256(cidToBytes(cid));
          const opened = { ...at, round: BigInt(at.round), root, normSq, cidHash, salt };
          const signature = await signTypedMessage(signer, revealUpdateTypedData(place, opened));
          const message = { root, normSq: normSq.toString(), cid, salt };
          return post(options, { type: 'reveal', participant, signature, ...at, ...message });
        },
        () => instead.reveal(view, submission),
      );
    },
    answer: (answers) =>
      through(
        async () => {
          payee ??= describeRelay(options);
          payee.catch(() => {
            payee = undefined;
          });
          // Whoever pays the gas gets the bond.
          const paid = await payee;
          const delivered = await Promise.all(answers.map((answer) => postAnswer(answer, paid)));
          return delivered.at(-1)!;
        },
        () => instead.answer(answers),
      ),
  };

  async function postAnswer({ id, opening }: Answer, paid: Address): Promise<Delivered> {
    const signature = await signTypedMessage(signer, answerChallengeTypedData(place, { id, payee: paid }));
    return post(options, {
      type: 'answer',
      participant,
      signature,
      challenge: id,
      payee: paid,
      bytes: toHex(opening),
    });
  }
}

async function describeRelay(options: RelaySenderOptions): Promise<Address> {
  const { federation } = options;
  const described = descriptionSchema.safeParse(await ask(options, { method: 'GET' }));
  const serves =
    described.success &&
    described.data.chainId === federation.connection.chainId &&
    described.data.federation.toLowerCase() === federation.address.toLowerCase();
  if (!serves) throw failed(options, 'it serves another federation');
  return described.data.account as Address;
}

async function post(options: RelaySenderOptions, message: Record<string, unknown>): Promise<Delivered> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(message) };
  const answer = await ask(options, init);
  const accepted = acceptedSchema.safeParse(answer);
  if (accepted.success) {
    return { hash: accepted.data.transaction as Hex, gasUsed: BigInt(accepted.data.gasUsed) };
  }
  const refused = refusedSchema.safeParse(answer);
  throw failed(
    options,
    refused.success ? `it refused: ${refused.data.reason.slice(0, 200)}` : 'it sent no answer of a relay',
  );
}

async function ask(options: RelaySenderOptions, init: RequestInit): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(options.patienceMs ?? DEFAULT_PATIENCE_MS);
    const response = await fetch(new URL('/relay', options.url), { ...init, signal });
    return await response.json();
  } catch (cause) {
    throw failed(options, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function failed({ url }: RelaySenderOptions, received: string, cause?: unknown): AssayError {
  return new AssayError('RELAY_FAILED', {
    summary: `the relay at ${url} did not submit the message`,
    expected: 'a transaction',
    received,
    fix: 'name another relay, or give this account coin to send for itself',
    cause,
  });
}

/** What a participant opens when the contract asks: the updates that it revealed, of every round that is not final. */
import type { ChallengeState, OpenedChallenge } from '../../chain/challenges.ts';
import type { Federation } from '../../chain/federation.ts';
import type { Signer } from '../../chain/rpc.ts';
import { buildAnswer } from '../../protocol/dispute/buildAnswer.ts';
import { UPDATE_COORDINATE_BYTES } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { chunkReads } from '../../storage/chunkReads.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';

/** What this disk no longer gives back, somebody else who fetched it may answer. */
const DAMAGE: ReadonlySet<string> = new Set(['BLOCK_MISMATCH', 'PAYLOAD_MISSING', 'PAYLOAD_RANGE']);

interface Owner {
  readonly federation: Federation;
  readonly signer: Signer;
  readonly payloads: PayloadAccess;
}

/** The packed opening; null for what is another's, or what this store does not hold. */
export async function openOwn(
  { federation, signer, payloads }: Owner,
  { kind, owner, round, index, chunk }: OpenedChallenge,
  { root, normSq, rows }: ChallengeState,
): Promise<Uint8Array | null> {
  if (kind !== 'update' || owner !== signer.account.address) return null;
  const cid = await federation.revealedCid(round, index, root);
  if (cid === null || !(await payloads.store.has(cid))) return null;
  const layout = layoutOf(federation.parameters);
  const read = chunkReads(payloads.store, cid, layout.chunkSize * UPDATE_COORDINATE_BYTES);
  try {
    return await buildAnswer(read, layout, { kind, chunk, root, normSq, rows });
  } catch (error) {
    if (error instanceof AssayError && DAMAGE.has(error.code)) return null;
    throw error;
  }
}

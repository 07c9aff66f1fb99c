/** What a copycat sends: the update of somebody else in the round before. Only to test a federation. */
import type { RoundView } from '../../chain/convert.ts';
import { cidFromBytes } from '../../protocol/encoding/cid.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { TrainContext } from './trainContext.ts';
import type { StoredUpdate } from './trainUpdate.ts';

/** Fetches the update that somebody other than `account` revealed first in the round before; null when nobody did. */
export async function copyUpdate(
  { federation, payloads }: Pick<TrainContext, 'federation' | 'payloads'>,
  view: RoundView,
  account: string,
): Promise<StoredUpdate | null> {
  if (view.number < 2) return null;
  const revealed = await federation.submissions(await federation.round(view.number - 1));
  const victim = revealed.find(({ participant }) => participant.toLowerCase() !== account.toLowerCase());
  if (victim === undefined) return null;
  const { root, normSq, participant } = victim;
  const cid = cidFromBytes(victim.cid);
  const bytes = updatePayloadLength(layoutOf(federation.parameters));
  await payloads.fetch(cid, { expectedBytes: bytes, owner: participant });
  return { root, normSq, cid, bytes };
}

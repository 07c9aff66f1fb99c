/**
 * Is every published number what the protocol makes of the numbers before it?
 *
 *     updates -> Gram matrix -> mixing matrix -> server state -> model
 *
 * Each is judged by the PUBLISHED number it was made from, as the contract's fraud proofs do: when a wrong mixing
 * matrix was followed faithfully, the mixing matrix is the lie and the model is not a second one.
 */
import { gramIndex } from '../../protocol/aggregation/gram.ts';
import { mixingHash } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { preAggregate } from '../../protocol/aggregation/preAggregation/preAggregate.ts';
import { needsSigns, usesHistory } from '../../protocol/aggregation/rule.ts';
import type { Divergence, Finding } from '../../protocol/dispute/finding.ts';
import { type Hex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import type { Evidence } from '../../protocol/round/evidence.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { AuditContext } from '../auditContext.ts';
import type { PublishedModel, RoundFacts } from '../chain/assembleRounds.ts';
import { aggregator, finding } from '../finding.ts';
import type { Holdings } from '../payloads/holdings.ts';
import type { Payload } from '../payloads/payload.ts';
import type { Snapshot } from '../payloads/snapshots.ts';
import { firstDivergence } from '../replay/divergence.ts';
import { rootFromState } from '../replay/modelFromState.ts';
import { payloadsOf, type Replay, type ReplayInput, replayRound } from '../replay/replayRound.ts';
import { claimedMixing, claimsRows } from './evidenceQuestions.ts';

export interface PublishedRound {
  readonly context: AuditContext;
  readonly round: RoundFacts;
  readonly published: PublishedModel;
  /** The published model and server state as their bytes are; `state` null where none is known. */
  readonly model: Snapshot;
  readonly state: Snapshot | null;
  readonly evidence: Evidence | null;
  readonly rows: readonly Submission[];
  readonly input: ReplayInput;
  readonly replay: Replay;
}

export async function publishedNumbersHold(whole: PublishedRound, holdings: Holdings): Promise<Finding[]> {
  const { round, published, replay, rows, evidence, input, context } = whole;
  const { publication } = published;
  const { roots } = replay;
  const accused = aggregator(published.aggregator);
  const wrong = (
    kind: Finding['kind'],
    message: string,
    expected: Hex | string,
    received: Hex | string,
    divergence: Divergence | null = null,
  ): Finding => finding(kind, round.round, accused, message, { expected, received, divergence });

  if (publication.modelRoot !== roots.modelRoot && evidence !== null && !claimsRows(evidence, rows)) {
    // Other rows, other numbers everywhere: one lie.
    const place = await divergence(whole, replay.model, whole.model, publication.modelRoot);
    const claimed = evidence.submissions.map(({ index }) => index);
    const leftOut = rows.filter(({ index }) => !claimed.includes(index));
    const message = `The model was made from the updates of participants ${claimed.join(', ') || 'none'}, not from those that count: ${rows.map(({ index }) => index).join(', ')}.${leftOut.map((row) => ` Left out: ${row.participant}.`).join('')}`;
    return [
      wrong(
        leftOut.length > 0 ? 'wronglyExcluded' : 'modelMismatch',
        message,
        roots.modelRoot,
        publication.modelRoot,
        place,
      ),
    ];
  }

  const findings: Finding[] = [];
  const gramWrong = publication.gramRoot !== roots.gramRoot;
  if (gramWrong) {
    const place = wrongGramEntry(replay, evidence, rows);
    const none = roots.gramRoot === ZERO_HASH ? ' The rule uses none.' : '';
    const message = `The published Gram matrix is not that of the updates.${none}${place?.message ?? ''}`;
    findings.push(
      wrong('gramMismatch', message, place?.expected ?? roots.gramRoot, place?.received ?? publication.gramRoot),
    );
  }

  const mixingWrong = publication.mixingHash !== roots.mixingHash;
  if (mixingWrong && !(gramWrong && followsFromClaimedGram(whole))) {
    const message = 'The published mixing matrix is not what the rule makes of the Gram matrix.';
    findings.push(wrong('mixingMismatch', message, roots.mixingHash, publication.mixingHash));
  }

  let expected: Pick<Replay, 'roots' | 'model' | 'state'> = replay;
  const { rule } = context.facts.parameters;
  const mixing =
    mixingWrong && evidence !== null ? claimedMixing(evidence, publication.mixingHash, rule, rows.length) : null;
  if (mixing !== null) {
    const followed = await replayRound(context.replayer, input, { mixing });
    for (const payload of payloadsOf(followed)) holdings.hold(payload);
    expected = followed;
  }
  const { modelRoot, stateRoot } = expected.roots;

  const stateWrong = publication.stateRoot !== stateRoot;
  if (stateWrong) {
    const place =
      expected.state === null ? null : await divergence(whole, expected.state, whole.state, publication.stateRoot);
    const message = `The published server state is not what the step leaves.${placeText(place)}`;
    findings.push(wrong('stateMismatch', message, stateRoot, publication.stateRoot, place));
  }

  if (publication.modelRoot !== modelRoot && !(stateWrong && (await followsFromState(whole)))) {
    const place = await divergence(whole, expected.model, whole.model, publication.modelRoot);
    const onlyRoot = whole.model.status === 'found' && whole.model.root === modelRoot;
    const why = onlyRoot ? ' The stored bytes are the right model: its root is wrong.' : placeText(place);
    const message = `The published model is not what the rule and the step make of the updates.${why}`;
    findings.push(wrong('modelMismatch', message, modelRoot, publication.modelRoot, place));
  }
  return findings;
}

/** Are the published model's bytes there, and do they have the published root? */
export async function modelPayloadHolds(
  { layout }: AuditContext,
  round: RoundFacts,
  published: PublishedModel,
  model: Snapshot,
  replay: Replay | null,
): Promise<Finding[]> {
  const accused = aggregator(published.aggregator);
  const { modelRoot } = published.publication;
  if (model.status !== 'found') {
    const invalid = model.status === 'invalid';
    const message = `The published model ${invalid ? 'is not what its CID and size say' : 'could not be had from any source'}.`;
    const received = model.attempts.join('; ');
    return [finding(invalid ? 'payloadInvalid' : 'payloadUnavailable', round.round, accused, message, { received })];
  }
  if (model.root === modelRoot) return [];
  // The right bytes under a wrong root: the root is the lie, and it has its finding.
  if (replay !== null && replay.roots.modelRoot !== modelRoot && model.root === replay.roots.modelRoot) return [];
  const place =
    replay?.roots.modelRoot === modelRoot
      ? await firstDivergence(round.round, layout, replay.model, model.payload)
      : null;
  return [
    finding(
      'modelPayloadMismatch',
      round.round,
      accused,
      `The bytes under the published CID are not the model under the published root.${placeText(place)}`,
      { expected: modelRoot, received: model.root, divergence: place },
    ),
  ];
}

/** Where the published vector departs, when its bytes are there. */
async function divergence(
  { round, context }: PublishedRound,
  expected: Payload,
  published: Snapshot | null,
  publishedRoot: Hex,
): Promise<Divergence | null> {
  if (published === null || published.status !== 'found' || published.root !== publishedRoot) return null;
  return firstDivergence(round.round, context.layout, expected, published.payload);
}

function placeText(place: Divergence | null): string {
  if (place === null) return ' The bytes under the published root are not available, so the place is unknown.';
  return ` First at coordinate ${place.coordinate} (chunk ${place.chunk}): expected ${place.expected}, published ${place.published}.`;
}

/** The first entry of the Gram matrix that the evidence states wrongly. */
function wrongGramEntry(
  { gram }: Replay,
  evidence: Evidence | null,
  rows: readonly Submission[],
): { readonly message: string; readonly expected: string; readonly received: string } | null {
  const claimed = evidence?.gram ?? null;
  if (gram === null || claimed === null || claimed.length !== gram.values.length) return null;
  const entry = claimed.findIndex((value, i) => BigInt(value) !== gram.values[i]);
  if (entry === -1) return null;
  for (let i = 0; i < gram.n; i++) {
    for (let j = i; j < gram.n; j++) {
      if (gramIndex(gram.n, i, j) !== entry) continue;
      const [first, second] = [rows[i]?.index, rows[j]?.index];
      let pair = `participants ${first} and ${second}`;
      // Beyond the updates there is the history row, which is nobody's.
      if (second === undefined)
        pair = `${first === undefined ? 'the history row' : `participant ${first}`} and the history row`;
      const message = ` The inner product of ${pair} is wrong.`;
      return { message, expected: gram.values[entry]!.toString(), received: claimed[entry]! };
    }
  }
  return null;
}

/** Whether the published mixing matrix is what the rule makes of the (wrong) Gram matrix in the evidence. */
function followsFromClaimedGram({ evidence, rows, published, input }: PublishedRound): boolean {
  const claimed = evidence?.gram ?? null;
  const { rule, dimension } = input.parameters;
  if (needsSigns(rule)) return false; // its mixing matrix does not follow from the Gram matrix alone
  const n = rows.length + (usesHistory(rule) ? 1 : 0);
  if (claimed === null || claimed.length !== (n * (n + 1)) / 2) return false;
  const mixing = preAggregate(
    rule,
    { n, values: BigInt64Array.from(claimed, BigInt) },
    { ...input.context, signs: null, dimension },
  );
  return mixingHash(mixing) === published.publication.mixingHash;
}

/** Whether the published model is what the (wrong) published server state leads to. */
async function followsFromState({ input, state, published }: PublishedRound): Promise<boolean> {
  const { stateRoot, modelRoot } = published.publication;
  if (state === null || state.status !== 'found' || state.root !== stateRoot) return false;
  return (await rootFromState(input, state.payload)) === modelRoot;
}

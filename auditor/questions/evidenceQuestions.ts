/**
 * Does the evidence document agree with the chain and with the replay? It is a convenience: nothing in it is believed.
 */
import { type Mixing, mixingHash } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { needsGram, type Rule, usesHistory } from '../../protocol/aggregation/rule.ts';
import { hasServerState } from '../../protocol/aggregation/serverStep.ts';
import { trimmedByUpdate } from '../../protocol/aggregation/trimming.ts';
import type { Finding } from '../../protocol/dispute/finding.ts';
import { cidFromBytes } from '../../protocol/encoding/cid.ts';
import type { Evidence } from '../../protocol/round/evidence.ts';
import { isMixingOf } from '../../protocol/round/runRound.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { AuditContext } from '../auditContext.ts';
import type { PublishedModel, RoundFacts } from '../chain/assembleRounds.ts';
import { aggregator, finding } from '../finding.ts';
import { isCidText } from '../payloads/cidText.ts';
import type { ReadEvidence } from '../payloads/evidenceReader.ts';
import type { Snapshot } from '../payloads/snapshots.ts';
import type { Replay } from '../replay/replayRound.ts';

/** Is the document there, and is it one? */
export function evidenceIsThere(round: RoundFacts, published: PublishedModel, evidence: ReadEvidence): Finding[] {
  if (evidence.status === 'found') return [];
  const accused = aggregator(published.aggregator);
  if (evidence.status === 'malformed') {
    return [
      finding('evidenceMismatch', round.round, accused, 'The evidence document is not well-formed.', {
        received: evidence.reason,
      }),
    ];
  }
  const kind = evidence.status === 'invalid' ? 'payloadInvalid' : 'payloadUnavailable';
  const message = 'The evidence document could not be had from any source.';
  return [finding(kind, round.round, accused, message, { received: evidence.attempts.join('; ') })];
}

/** Whether the document's rows are these submissions, in order. */
export function claimsRows(document: Evidence, rows: readonly Submission[]): boolean {
  return (
    document.submissions.length === rows.length &&
    document.submissions.every(({ index, participant, root, normSq, cid }, i) => {
      const row = rows[i]!;
      return (
        index === row.index &&
        participant.toLowerCase() === row.participant &&
        root === row.root &&
        BigInt(normSq) === row.normSq &&
        cid === cidFromBytes(row.cid)
      );
    })
  );
}

/** The mixing matrix of the document, if it is the one whose hash was published and n updates can be mixed by it. */
export function claimedMixing({ mixing }: Evidence, publishedHash: string, rule: Rule, n: number): Mixing | null {
  if (mixing === null) return null;
  const columns = usesHistory(rule) ? n + 1 : n;
  const claimed = { ...mixing, weights: Int32Array.from(mixing.weights) };
  return isMixingOf(rule, claimed, columns) && mixingHash(claimed) === publishedHash ? claimed : null;
}

/**
 * The first point at which the document contradicts the chain or the replay. What follows from a finding that the
 * published numbers gave already (`alreadyWrong`) is not repeated.
 */
export function evidenceAgrees(
  { facts }: AuditContext,
  round: RoundFacts,
  published: PublishedModel,
  document: Evidence,
  rows: readonly Submission[],
  replay: Replay | null,
  state: Snapshot | null,
  alreadyWrong: ReadonlySet<Finding['kind']>,
): Finding[] {
  const { publication } = published;
  const stateful = hasServerState(facts.parameters.serverStep);
  const checks: (readonly [what: string, expected: string, received: string])[] = [
    ['chainId', String(facts.chainId), String(document.chainId)],
    ['federation', facts.federation, document.federation.toLowerCase()],
    ['round', String(round.round), String(document.round)],
    ['baseModelRoot', round.baseModelRoot, document.baseModelRoot],
    ['modelRoot', publication.modelRoot, document.modelRoot],
    ['stateRoot', publication.stateRoot, document.stateRoot],
    ['gramRoot', publication.gramRoot, document.gramRoot],
    ['mixingHash', publication.mixingHash, document.mixingHash],
  ];
  if (!alreadyWrong.has('modelMismatch') && !alreadyWrong.has('wronglyExcluded')) {
    const received = document.submissions.map(({ index }) => index).join(', ');
    const expected = rows.map(({ index }) => index).join(', ');
    checks.push(['submissions', expected, claimsRows(document, rows) ? expected : `${received} (or other contents)`]);
  }
  if (replay !== null && claimsRows(document, rows)) {
    if (!alreadyWrong.has('gramMismatch'))
      checks.push(['gram', gramText(replay.gram?.values ?? null), gramText(document.gram)]);
    if (!alreadyWrong.has('gramMismatch') && !alreadyWrong.has('mixingMismatch')) {
      checks.push(['mixing', mixingText(replay.mixing), mixingText(document.mixing)]);
      // Who was trimmed follows from the mixed rows.
      const trimmed = document.submissions.map((submission) => submission.trimmed ?? 'none').join(', ');
      const counts = trimmedByUpdate(replay.trimmed, facts.parameters.rule) ?? rows.map(() => 'none');
      checks.push(['trimmed', counts.join(', '), trimmed]);
    }
  }
  const hasGram = needsGram(facts.parameters.rule);
  const gramCid = document.gramCid === null ? 'none' : isCidText(document.gramCid) ? 'a CID' : document.gramCid;
  checks.push(['gramCid', hasGram ? 'a CID' : 'none', gramCid]);
  if (!stateful) checks.push(['stateCid', 'null', document.stateCid ?? 'null']);
  else if (state === null || state.status !== 'found') {
    checks.push(['stateCid', 'the CID of the server state’s bytes', document.stateCid ?? 'null']);
  } else if (!alreadyWrong.has('stateMismatch')) {
    checks.push(['stateCid', `bytes with the root ${publication.stateRoot}`, `bytes with the root ${state.root}`]);
    if (state.root === publication.stateRoot) checks.pop();
  }
  const wrong = checks.find(([, expected, received]) => expected !== received);
  if (wrong === undefined) return [];
  const [what, expected, received] = wrong;
  const message = `The evidence document is wrong at "${what}".`;
  return [
    finding('evidenceMismatch', round.round, aggregator(published.aggregator), message, {
      expected: shorten(expected),
      received: shorten(received),
    }),
  ];
}

function gramText(gram: ArrayLike<bigint | string> | null): string {
  return gram === null
    ? 'none'
    : Array.from<bigint | string, string>(gram, (value) => BigInt(value).toString()).join(', ');
}

/** Not its hash: that is of 16 and 32 bits, and the document's numbers have more. */
function mixingText(mixing: (Omit<Mixing, 'weights'> & { readonly weights: ArrayLike<number> }) | null): string {
  if (mixing === null) return 'none';
  const { rows, columns, denominator, weights } = mixing;
  return `${rows} x ${columns} over ${denominator}: ${Array.from(weights).join(', ')}`;
}

function shorten(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}...` : text;
}

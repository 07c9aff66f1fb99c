/**
 * The one error type of Assay. Every message teaches: what went wrong, what was expected, what came, what to do.
 *
 * Three kinds of wrong are never mixed: a bad argument and a broken invariant throw an `AssayError`; a dishonest peer
 * is not an exception but a `Finding` in a report (see `dispute/finding.ts`).
 */
export interface AssayErrorDetails {
  /** What went wrong, one sentence without a final period. */
  readonly summary: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What came instead. */
  readonly received?: string;
  /** What the reader can do now. */
  readonly fix?: string;
  /** The error underneath, when there is one. */
  readonly cause?: unknown;
}

/**
 * @example
 * throw new AssayError('PAYLOAD_LENGTH', {
 *   summary: 'the payload of participant 3 has the wrong length',
 *   expected: '102400 bytes (200 chunks of 256 int16)',
 *   received: '102398 bytes',
 *   fix: 'ask the participant to store its payload again',
 * });
 */
export class AssayError extends Error {
  override readonly name = 'AssayError';
  /** Stable, upper-case identifier that programs may match on. */
  readonly code: string;
  readonly details: AssayErrorDetails;

  constructor(code: string, details: AssayErrorDetails) {
    super(formatDetails(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

function formatDetails(details: AssayErrorDetails): string {
  const lines = [details.summary];
  if (details.expected !== undefined) lines.push(`  Expected: ${details.expected}`);
  if (details.received !== undefined) lines.push(`  Received: ${details.received}`);
  if (details.fix !== undefined) lines.push(`  To do:    ${details.fix}`);
  return lines.join('\n');
}

/**
 * One HTTP GET whose body is a stream that may never stall: an idle limit on every wait, a least average speed, and an
 * error that names the other side.
 */
import { AssayError } from '../../protocol/errors.ts';

export interface HttpStreamOptions {
  /** Who is asked, for messages. */
  readonly holder: string;
  /** Nothing arriving for this long is an error. Time the consumer takes does not count. */
  readonly idleMilliseconds: number;
  readonly accept: string;
  /** Peers are asked where they said they are, and nowhere else: only a public gateway may redirect. */
  readonly followRedirects: boolean;
  readonly signal?: AbortSignal;
}

/** Slower than this after the first idle limit is a stall in disguise: one byte now and then. */
const LEAST_BYTES_PER_SECOND = 1024;

/**
 * The body of a 200 answer, piece by piece.
 *
 * @throws AssayError `PEER_UNREACHABLE`, `PEER_STATUS` (any status but 200), `PEER_STALLED`, `PEER_BROKEN` (connection
 * lost).
 */
export async function* httpStream(url: URL, options: HttpStreamOptions): AsyncGenerator<Uint8Array> {
  const { holder, idleMilliseconds, accept, followRedirects, signal } = options;
  const idle = new AbortController();
  const signals = signal === undefined ? idle.signal : AbortSignal.any([idle.signal, signal]);
  let waitedMilliseconds = 0;
  let received = 0;

  const waiting = async <T>(work: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => idle.abort(), idleMilliseconds);
    const start = performance.now();
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      waitedMilliseconds += performance.now() - start;
    }
  };
  const failed = (cause: unknown): unknown => {
    if (signal?.aborted === true) return signal.reason;
    if (cause instanceof AssayError) return cause;
    if (idle.signal.aborted) return stalled(holder, `nothing for ${idleMilliseconds} ms, after ${received} bytes`);
    return broken(holder, url, received, cause);
  };

  let response: Response;
  try {
    response = await waiting(
      fetch(url, {
        headers: { accept, 'accept-encoding': 'identity' },
        redirect: followRedirects ? 'follow' : 'error',
        signal: signals,
      }),
    );
  } catch (cause) {
    throw failed(cause);
  }
  if (response.status !== 200 || response.body === null) throw await badStatus(holder, response);
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await waiting(reader.read());
      if (done) return;
      received += value.length;
      if (waitedMilliseconds > idleMilliseconds && received < (LEAST_BYTES_PER_SECOND * waitedMilliseconds) / 1000) {
        throw stalled(holder, `${received} bytes in ${Math.round(waitedMilliseconds)} ms`);
      }
      yield value;
    }
  } catch (cause) {
    throw failed(cause);
  } finally {
    await reader.cancel().catch(() => undefined);
    idle.abort(); // frees the socket when the consumer stopped early
  }
}

async function badStatus(holder: string, response: Response): Promise<AssayError> {
  // At most the first piece of the answer: enough for its message, however long the body is.
  const first = await response.body
    ?.getReader()
    .read()
    .catch(() => undefined);
  const said = new TextDecoder().decode(first?.value?.subarray(0, 300) ?? new Uint8Array(0)).trim();
  return new AssayError('PEER_STATUS', {
    summary: response.status === 404 ? `${holder} does not hold the payload` : `${holder} refused the request`,
    expected: 'status 200 with the payload',
    received: `status ${response.status}${said === '' ? '' : `: ${said}`}`,
    fix: 'ask another source, or try again once this one has it',
  });
}

function stalled(holder: string, received: string): AssayError {
  return new AssayError('PEER_STALLED', {
    summary: `${holder} stalled`,
    expected: 'bytes that keep coming',
    received,
    fix: 'ask another source, or try again later',
  });
}

function broken(holder: string, url: URL, received: number, cause: unknown): AssayError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason =
    inner instanceof Error ? inner.message || ((inner as NodeJS.ErrnoException).code ?? inner.name) : String(inner);
  return received === 0
    ? new AssayError('PEER_UNREACHABLE', {
        summary: `${holder} cannot be reached`,
        expected: `a gateway at ${url.origin}`,
        received: reason,
        fix: 'check that the node runs and that the address is right',
        cause,
      })
    : new AssayError('PEER_BROKEN', {
        summary: `the connection to ${holder} broke`,
        expected: 'the rest of the payload',
        received: `${reason}, after ${received} bytes`,
        fix: 'try again, or ask another source',
        cause,
      });
}

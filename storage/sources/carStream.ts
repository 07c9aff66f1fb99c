/**
 * A payload out of a CAR stream that somebody else writes: blocks come depth first, each is verified before its bytes
 * are yielded, and never more than a few blocks are in memory. Both ways of writing repeated blocks are understood:
 * every occurrence sent (`dups=y`), or the first only (`dups=n`, Kubo's way).
 *
 * With `dups=n` a block that comes again must be remembered. A few are; a repeated block that was forgotten is asked
 * for by itself (`fetchBlock`), so memory stays bounded whatever the payload repeats.
 */
import { AssayError } from '../../protocol/errors.ts';
import { CarReader, type CarSection, nextBytesOf } from '../car.ts';
import { type WantedBlock, walkFile } from '../fileWalk.ts';

/** Blocks remembered for `dups=n`; at most this many MiB. */
const REMEMBERED_BLOCKS = 8;

export interface CarStreamOptions {
  /** Who sends, for messages. */
  readonly holder: string;
  readonly maxBytes: number;
  /** Asks the same source for one block by itself; its answer is verified like any other. */
  readonly fetchBlock?: (cid: string) => Promise<Uint8Array>;
}

/**
 * Yields the bytes of payload `cid` from the CAR in `stream`, verified.
 *
 * @throws AssayError `CAR_INVALID`, `CAR_TRUNCATED`, `BLOCK_MISMATCH`, `BLOCK_MISSING`, `UNIXFS_NODE`,
 * `PAYLOAD_TOO_LARGE`.
 */
export async function* payloadFromCar(
  cid: string,
  stream: AsyncIterable<Uint8Array>,
  options: CarStreamOptions,
): AsyncGenerator<Uint8Array> {
  const { holder, maxBytes, fetchBlock } = options;
  const bytes = nextBytesOf(stream);
  const reader = new CarReader(bytes.next, holder);
  const remembered = new Map<string, Uint8Array>();
  /** A block that was read from the stream but is not the one wanted now. */
  let ahead: CarSection | undefined;

  const getBlock = async ({ cid: wanted }: WantedBlock): Promise<Uint8Array> => {
    ahead ??= await reader.section();
    if (ahead?.cid === wanted) {
      const block = ahead.bytes;
      ahead = undefined;
      remember(remembered, wanted, block);
      return block;
    }
    const earlier = remembered.get(wanted) ?? (await fetchBlock?.(wanted));
    if (earlier === undefined) throw missingBlock(holder, cid, wanted, ahead?.cid);
    remember(remembered, wanted, earlier);
    return earlier;
  };

  try {
    await reader.header();
    for await (const block of walkFile(cid, getBlock, { holder, maxBytes })) {
      if (block.kind === 'leaf') yield block.bytes;
    }
  } finally {
    await bytes.close();
  }
}

/** Keeps the most recent blocks; those of a run of equal leaves (zeros) are the ones that come again. */
function remember(blocks: Map<string, Uint8Array>, cid: string, bytes: Uint8Array): void {
  blocks.delete(cid);
  blocks.set(cid, bytes);
  const oldest = blocks.keys().next().value;
  if (blocks.size > REMEMBERED_BLOCKS && oldest !== undefined) blocks.delete(oldest);
}

function missingBlock(holder: string, root: string, wanted: string, next: string | undefined): AssayError {
  return new AssayError('BLOCK_MISSING', {
    summary: `${holder} sent an archive of ${root} that lacks a block`,
    expected: `block ${wanted} next, in depth-first order`,
    received: next === undefined ? 'the end of the archive' : `block ${next}`,
    fix: 'ask another source; this one does not hold the whole payload',
  });
}

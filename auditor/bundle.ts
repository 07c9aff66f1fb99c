/**
 * One file with all evidence of a federation, and its audit without any network: a CAR (v1) whose first root is a
 * document with everything the chain said, and whose other roots are the payloads. The audit asks it the same
 * questions, through the same two interfaces, as it asks a node and gateways. Format: docs/spec/evidence.md.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CarIndexer, CarWriter } from '@ipld/car';
import { CID } from 'multiformats/cid';
import { z } from 'zod';
import { usesHistory } from '../protocol/aggregation/rule.ts';
import { stateVectors } from '../protocol/aggregation/serverStep.ts';
import { gramPayloadLength } from '../protocol/commitment/gramTree.ts';
import { parseCid } from '../protocol/encoding/cid.ts';
import {
  blockCid,
  DAG_PB_CODEC,
  LEAF_BYTES,
  MAX_NODE_BYTES,
  RAW_CODEC,
  UnixfsFileBuilder,
} from '../protocol/encoding/unixfsFile.ts';
import { modelPayloadLength, updatePayloadLength } from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import { MAX_EVIDENCE_BYTES } from '../protocol/round/evidence.ts';
import { layoutOf } from '../protocol/round/parameters.ts';
import type { FileRange } from '../protocol/round/roundIo.ts';
import { type AuditOptions, type AuditScope, auditFrom, networkPayloads } from './auditFederation.ts';
import { assembleRounds } from './chain/assembleRounds.ts';
import { type ChainFacts, type ChainReader, chainFactsSchema } from './chain/chainFacts.ts';
import { decodeEvents, type FederationEvent } from './chain/decodeEvents.ts';
import { rpcChainReader } from './chain/readChain.ts';
import {
  assembleFile,
  type BlockPlace,
  type Blocks,
  readBlock,
  SourceFailure,
  UnusableContent,
} from './payloads/assembleFile.ts';
import { cidTextOrNull, isCidText } from './payloads/cidText.ts';
import { EvidenceReader } from './payloads/evidenceReader.ts';
import { memoryPayload, type Payload, wholePayload } from './payloads/payload.ts';
import type { PayloadReader, PayloadRequest } from './payloads/payloadReader.ts';
import { type Spools, withSpools } from './payloads/spool.ts';
import type { AuditReport } from './report/auditReport.ts';
import { writeFileAtomic } from './writeFileAtomic.ts';

export const BUNDLE_FORMAT = 'assay-bundle/3';

/** Largest document of chain facts that is read: about a million events. */
const MAX_INDEX_BYTES = 2 ** 30;
const MAX_MANIFEST_BYTES = 4 * 2 ** 20;

const indexSchema = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  chain: chainFactsSchema,
  /** CIDs of the payloads in the file, as its further roots. */
  payloads: z.array(z.string()),
  /** Payloads that no source served when the bundle was made. */
  missing: z.array(z.string()),
});

export interface ExportOptions
  extends Pick<
    AuditOptions,
    'rpcUrl' | 'federation' | 'gateways' | 'chainId' | 'fromBlock' | 'anyGateway' | 'idleMilliseconds' | 'attempts'
  > {
  /** File to write; replaced when it exists. */
  readonly path: string;
  readonly onProgress?: ((message: string) => void) | undefined;
}

export interface ExportResult {
  readonly path: string;
  /** CID of the document: the name of the whole bundle's content. */
  readonly root: string;
  readonly payloads: number;
  readonly payloadBytes: number;
  /** CIDs that no source served. */
  readonly missing: readonly string[];
}

/**
 * Writes the bundle of a live federation.
 * @throws AssayError when the chain cannot be read or the file not be written.
 */
export function exportBundle(options: ExportOptions): Promise<ExportResult> {
  const { rpcUrl, federation, chainId, fromBlock, attempts, onProgress } = options;
  const reading = { rpcUrl, federation, chainId, fromBlock, attempts, onRetry: onProgress, withReceipts: true };
  const payloadsFor = (events: readonly FederationEvent[], spools: Spools) =>
    networkPayloads(events, options.gateways, spools, options);
  return writeBundle(options.path, rpcChainReader(reading), payloadsFor, onProgress);
}

/** Writes the bundle of any source of evidence. */
export async function writeBundle(
  path: string,
  chain: ChainReader,
  payloadsFor: (events: readonly FederationEvent[], spools: Spools) => PayloadReader,
  onProgress: (message: string) => void = () => undefined,
): Promise<ExportResult> {
  return withSpools({}, (spools) => writeFrom(path, chain, (events) => payloadsFor(events, spools), onProgress));
}

async function writeFrom(
  path: string,
  chain: ChainReader,
  payloadsFor: (events: readonly FederationEvent[]) => PayloadReader,
  onProgress: (message: string) => void,
): Promise<ExportResult> {
  const facts = await chain.readChain();
  const events = decodeEvents(facts.logs);
  const reader = payloadsFor(events);
  const requests = await payloadsOf(facts, events, reader);
  onProgress(`reading ${requests.length} payloads`);
  const present: PayloadRequest[] = [];
  const missing: string[] = [];
  let payloadBytes = 0;
  // First pass: what is there. The CAR's header names its roots before the first block, and not all may fit in memory.
  for (const request of requests) {
    const outcome = await reader.read(request);
    if (outcome.status !== 'found') missing.push(request.cid);
    else {
      present.push(request);
      payloadBytes += outcome.payload.length;
      await outcome.payload.release();
    }
  }
  const payloads = present.map(({ cid }) => cid);
  const index = { format: BUNDLE_FORMAT, chain: chainFactsSchema.encode(facts), payloads, missing };
  const document = new TextEncoder().encode(JSON.stringify(index));
  const root = fileRoot(document);
  const { writer, out } = CarWriter.create([root, ...payloads].map((cid) => CID.parse(cid)));
  const written = new Set<string>();
  const put = async (cid: string, bytes: Uint8Array) => {
    if (written.has(cid)) return;
    written.add(cid);
    await writer.put({ cid: CID.parse(cid), bytes });
  };
  const fill = async () => {
    try {
      await putFile(memoryPayload(document), put);
      for (const request of present) {
        const outcome = await reader.read(request);
        if (outcome.status !== 'found') {
          throw new AssayError('PAYLOAD_GONE', {
            summary: `the payload ${request.cid} was served at first and then no more`,
            received: outcome.attempts.join('; '),
            fix: 'export again',
          });
        }
        await putFile(outcome.payload, put);
        await outcome.payload.release();
      }
    } finally {
      await writer.close();
    }
  };
  const filled = fill();
  filled.catch(() => undefined); // awaited below, before the file gets its name
  await writeFileAtomic(path, concat(out, filled));
  return { path, root, payloads: payloads.length, payloadBytes, missing };
}

/** All of `out`, then the outcome of its producer: a failed producer must not end as a short file. */
async function* concat(out: AsyncIterable<Uint8Array>, producer: Promise<void>): AsyncIterable<Uint8Array> {
  yield* out;
  await producer;
}

function fileRoot(bytes: Uint8Array): string {
  const builder = new UnixfsFileBuilder();
  builder.write(bytes);
  return builder.finish().cid;
}

/** The blocks of one file: leaves, then the nodes above them. */
async function putFile(payload: Payload, put: (cid: string, bytes: Uint8Array) => Promise<void>): Promise<void> {
  const nodes: { cid: string; bytes: Uint8Array }[] = [];
  const builder = new UnixfsFileBuilder((node) => nodes.push(node));
  for (let offset = 0; offset === 0 || offset < payload.length; offset += LEAF_BYTES) {
    const leaf = new Uint8Array(Math.min(LEAF_BYTES, payload.length - offset)); // the writer may keep it for a while
    await payload.read(offset, leaf);
    await put(blockCid(RAW_CODEC, leaf), leaf);
    builder.write(leaf);
  }
  builder.finish();
  for (const node of nodes) await put(node.cid, node.bytes);
}

/** Every payload that an audit of these facts may ask for, each once. */
async function payloadsOf(
  facts: ChainFacts,
  events: readonly FederationEvent[],
  reader: PayloadReader,
): Promise<PayloadRequest[]> {
  const layout = layoutOf(facts.parameters);
  const vector = { exactBytes: modelPayloadLength(layout), maxBytes: modelPayloadLength(layout) };
  const update = { exactBytes: updatePayloadLength(layout), maxBytes: updatePayloadLength(layout) };
  const requests = new Map<string, PayloadRequest>();
  const add = (cid: string | null, limits: Omit<PayloadRequest, 'cid'>) => {
    if (cid !== null) requests.set(cid, { cid, ...limits });
  };
  add(cidTextOrNull(facts.parameters.manifestCid), { maxBytes: MAX_MANIFEST_BYTES });
  add(cidTextOrNull(facts.parameters.genesisModelCid), vector);
  const evidence = new EvidenceReader(reader);
  for (const round of assembleRounds(facts, events)) {
    const { published } = round;
    if (published === null) continue;
    for (const { submission } of round.reveals) {
      if (round.voided.has(submission.index)) continue;
      add(cidTextOrNull(submission.cid), { ...update, owner: submission.participant });
    }
    const owner = published.aggregator;
    add(cidTextOrNull(published.publication.modelCid), { ...vector, owner });
    add(cidTextOrNull(published.publication.evidenceCid), { maxBytes: MAX_EVIDENCE_BYTES, owner });
    const read = await evidence.read(published);
    if (read.status !== 'found') continue;
    const { stateCid, gramCid } = read.document;
    const stateBytes = stateVectors(facts.parameters.serverStep) * modelPayloadLength(layout);
    if (stateBytes > 0 && stateCid !== null && isCidText(stateCid)) {
      add(stateCid, { exactBytes: stateBytes, maxBytes: stateBytes, owner });
    }
    const rows = round.reveals.length - round.voided.size + (usesHistory(facts.parameters.rule) ? 1 : 0);
    const gramBytes = gramPayloadLength(rows, layout.chunkCount);
    if (gramCid !== null && isCidText(gramCid)) add(gramCid, { exactBytes: gramBytes, maxBytes: gramBytes, owner });
  }
  return [...requests.values()];
}

export interface BundleAuditOptions extends AuditScope {
  /** The document's CID, where the auditor knows it from elsewhere: any other bundle is refused. */
  readonly root?: string | undefined;
}

/**
 * Audits a bundle offline, with the questions of a live audit.
 *
 * @throws AssayError `BUNDLE_MISSING`, `BUNDLE_CORRUPT` (a byte was altered or is missing), `BUNDLE_ROOT` or
 *   `BUNDLE_FORMAT`. What the evidence in an intact bundle shows never throws: it is a finding.
 */
export async function auditBundle(path: string, options: BundleAuditOptions = {}): Promise<AuditReport> {
  const bundle = await openBundle(path, options.root);
  try {
    const chain: ChainReader = { name: path, readChain: async () => bundle.facts };
    return await auditFrom(chain, () => bundle.payloads, options);
  } finally {
    await bundle.close();
  }
}

interface OpenBundle {
  readonly facts: ChainFacts;
  readonly payloads: PayloadReader;
  close(): Promise<void>;
}

/** The blocks of a bundle's file, each compared with its CID when the file was opened. */
class BundleBlocks implements Blocks {
  private readonly file: FileHandle;
  private readonly places: ReadonlyMap<string, BlockPlace>;

  constructor(file: FileHandle, places: ReadonlyMap<string, BlockPlace>) {
    this.file = file;
    this.places = places;
  }

  find(cid: string): BlockPlace {
    const place = this.places.get(cid);
    if (place === undefined) throw new SourceFailure(`does not hold block ${cid}`);
    return place;
  }

  get fileRange(): FileRange {
    return { descriptor: this.file.fd, byteOffset: 0 };
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await this.file.read(into, done, into.length - done, offset + done);
      if (bytesRead === 0) throw new SourceFailure('ends before its blocks do');
      done += bytesRead;
    }
  }

  /** The file stays open for others. */
  async release(): Promise<void> {}
}

/** Checks every block against its CID once, then serves them from the file. */
async function openBundle(path: string, expectedRoot: string | undefined): Promise<OpenBundle> {
  const corrupt = (received: string, cause?: unknown) =>
    new AssayError('BUNDLE_CORRUPT', {
      summary: `the bundle ${path} is damaged or was altered`,
      expected: 'a CAR file in which every block hashes to its CID',
      received,
      fix: 'get the bundle again, or export a new one',
      cause,
    });
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new AssayError('BUNDLE_MISSING', {
      summary: `cannot open the bundle ${path}`,
      received: cause instanceof Error ? cause.message : String(cause),
      fix: 'check the path',
      cause,
    });
  }
  try {
    const places = new Map<string, BlockPlace>();
    const blocks = new BundleBlocks(file, places);
    let roots: string[];
    try {
      const indexer = await CarIndexer.fromIterable(createReadStream(path));
      roots = (await indexer.getRoots()).map((cid) => cid.toString());
      for await (const { cid, blockOffset, blockLength } of indexer) {
        if (blockLength > Math.max(LEAF_BYTES, MAX_NODE_BYTES)) throw corrupt(`a block of ${blockLength} bytes`);
        const place = { offset: blockOffset, length: blockLength };
        const name = cid.toString();
        const codec = parseCid(name).codec === 'raw' ? RAW_CODEC : DAG_PB_CODEC;
        if (blockCid(codec, await readBlock(blocks, place)) !== name) throw corrupt(`other bytes at block ${name}`);
        places.set(name, place);
      }
    } catch (cause) {
      if (cause instanceof AssayError && cause.code === 'BUNDLE_CORRUPT') throw cause;
      throw corrupt(cause instanceof Error ? cause.message : String(cause), cause);
    }
    const root = roots[0];
    if (root === undefined) throw corrupt('no root');
    if (expectedRoot !== undefined && root !== expectedRoot) {
      throw new AssayError('BUNDLE_ROOT', {
        summary: `${path} is another bundle`,
        expected: expectedRoot,
        received: root,
      });
    }
    const index = await readIndex(path, root, blocks, corrupt);
    // The header is the only part without a hash of its own: it must say what the document says.
    if (roots.join() !== [root, ...index.payloads].join()) throw corrupt('other roots than its document names');
    const facts = index.chain;
    return { facts, payloads: bundlePayloads(path, blocks), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readIndex(
  path: string,
  root: string,
  blocks: Blocks,
  corrupt: (received: string, cause?: unknown) => AssayError,
): Promise<z.output<typeof indexSchema>> {
  let document: unknown;
  try {
    const bytes = await wholePayload(await assembleFile({ cid: root, maxBytes: MAX_INDEX_BYTES }, blocks));
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw corrupt(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const parsed = indexSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new AssayError('BUNDLE_FORMAT', {
    summary: `${path} is not a bundle of this version: its document is wrong at ${issue.path.join('.') || 'the top'}`,
    expected: `a document of the format ${BUNDLE_FORMAT}`,
    received: issue.message,
  });
}

function bundlePayloads(path: string, blocks: Blocks): PayloadReader {
  return {
    name: path,
    async read(request) {
      try {
        return { status: 'found', payload: await assembleFile(request, blocks), source: path };
      } catch (error) {
        if (error instanceof UnusableContent) return { status: 'invalid', attempts: [`${path}: ${error.message}`] };
        if (error instanceof SourceFailure) return { status: 'unavailable', attempts: [`${path} ${error.message}`] };
        throw error;
      }
    },
  };
}

/**
 * A few chunks of a replayed round computed once more by the plain reference: aggregator and auditor use the same
 * kernels, and a defect of theirs must not hide from both. Which chunks follows from the round's numbers, so that every
 * audit of a round looks at the same ones and audits of other rounds at others.
 */
import { combineChunk, ruleDenominator } from '../../protocol/aggregation/combine/combineChunk.ts';
import { addGramChunk } from '../../protocol/aggregation/gram.ts';
import { historyChunk } from '../../protocol/aggregation/history.ts';
import { mixChunk } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { usesHistory } from '../../protocol/aggregation/rule.ts';
import { hasServerState, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import type { BulkHasher } from '../../protocol/commitment/bulkHasher.ts';
import { encodeGramMatrix, GRAM_SPAN } from '../../protocol/commitment/gramTree.ts';
import { keccak256 } from '../../protocol/commitment/keccak.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import { concatBytes, fromHex, toHex, uintBytes } from '../../protocol/encoding/bytes.ts';
import { type VectorLayout, vectorLayout } from '../../protocol/encoding/layout.ts';
import { bytesOf, viewInt16, viewInt32 } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { RoundEngine } from '../../protocol/round/engine/roundEngine.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { Payload } from '../payloads/payload.ts';
import type { Replay, ReplayInput } from './replayRound.ts';

/** Chunks of each round, at most. */
const SPOTS = 4;
/** Chunks whose hashes are compared for each: a power of two, enough for every lane of the kernels. */
const HASHED_CHUNKS = 8;

/** @throws AssayError `KERNEL_DISAGREES` naming the first chunk whose numbers are others */
export async function spotCheck(input: ReplayInput, replay: Replay, engine: RoundEngine): Promise<void> {
  const layout = layoutOf(input.parameters);
  for (const chunk of spotsOf(layout, replay)) {
    const what =
      (await checkCombined(input, replay, layout, chunk)) ??
      (await checkGram(input, replay, layout, chunk)) ??
      (await checkHashes(input, replay, layout, chunk, engine.hasher));
    if (what === null) continue;
    throw new AssayError('KERNEL_DISAGREES', {
      summary: `the ${engine.name} engine and the plain reference compute different numbers: chunk ${chunk}, ${what}`,
      expected: 'the same bits from both',
      fix: 'audit with --engine reference, and report this as a defect of Assay: nobody is to blame for the round yet',
    });
  }
}

/** Distinct chunks, drawn by a hash of the roots. */
function spotsOf(layout: VectorLayout, { roots }: Replay): number[] {
  const chunks = new Set<number>();
  for (let draw = 0; draw < SPOTS; draw++) {
    const seed = keccak256(concatBytes(fromHex(roots.modelRoot), uintBytes(BigInt(draw), 8)));
    chunks.add(Number(BigInt(seed) % BigInt(layout.chunkCount)));
  }
  return [...chunks];
}

/** What is wrong with the chunk of the model or the state; null: nothing. */
async function checkCombined(
  { parameters, base, state, rows, previousModel }: ReplayInput,
  replay: Replay,
  layout: VectorLayout,
  chunk: number,
): Promise<string | null> {
  const { rule, serverStep } = parameters;
  const updates = await rowsOf({ parameters, base, rows, previousModel }, layout, chunk);
  const mixed = replay.mixing === null ? updates : mixChunk(replay.mixing, updates);
  const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
  const denominator = ruleDenominator(rule, updates.length, replay.mixing);
  const model = viewInt32(await chunkOf(base, layout, chunk));
  let nextState: Int32Array | null = null;
  if (hasServerState(serverStep) && replay.state !== null) {
    nextState = new Int32Array(replay.state.length / layout.chunkCount / 4);
    if (state !== null) nextState = viewInt32(await chunkOf(state, layout, chunk));
  }
  stepChunk(serverStep, model, nextState, numerators, denominator, parameters);
  if (!same(bytesOf(model), await chunkOf(replay.model, layout, chunk))) return 'the model';
  if (nextState === null || replay.state === null) return null;
  return same(bytesOf(nextState), await chunkOf(replay.state, layout, chunk)) ? null : 'the server state';
}

/** The same for the span of the Gram matrix that the chunk belongs to. */
async function checkGram(
  input: Pick<ReplayInput, 'parameters' | 'base' | 'rows' | 'previousModel'>,
  { gramPayload, gram }: Replay,
  layout: VectorLayout,
  chunk: number,
): Promise<string | null> {
  if (gramPayload === null || gram === null) return null;
  const span = Math.floor(chunk / GRAM_SPAN);
  const matrix = new BigInt64Array((gram.n * (gram.n + 1)) / 2);
  for (let c = span * GRAM_SPAN; c < Math.min(layout.chunkCount, (span + 1) * GRAM_SPAN); c++) {
    addGramChunk(matrix, await rowsOf(input, layout, c));
  }
  const expected = encodeGramMatrix(matrix);
  const received = new Uint8Array(expected.length);
  await gramPayload.read(span * expected.length, received);
  return same(expected, received) ? null : 'the Gram matrix';
}

/** The same for the hashes of the update's and the model's chunks around it. */
async function checkHashes(
  { rows }: ReplayInput,
  { model }: Replay,
  layout: VectorLayout,
  chunk: number,
  hasher: BulkHasher | null,
): Promise<string | null> {
  if (hasher === null) return null; // then it was the reference that hashed
  const first = chunk - (chunk % HASHED_CHUNKS);
  const count = Math.min(HASHED_CHUNKS, layout.chunkCount - first);
  const part = vectorLayout(count * layout.chunkSize, layout.chunkSize);
  const read = async (vector: Payload): Promise<Uint8Array> => {
    const leafBytes = vector.length / layout.chunkCount;
    const bytes = new Uint8Array(count * leafBytes);
    await vector.read(first * leafBytes, bytes);
    return bytes;
  };
  const published = viewInt32(await read(model));
  if (commitModel(published, part, hasher) !== commitModel(published, part)) return 'a hash of the model';
  for (const row of rows) {
    const update = await read(row);
    const [fast, plain] = [commitUpdate(update, part, hasher), commitUpdate(update, part)];
    if (fast.root !== plain.root || fast.normSq !== plain.normSq) return 'a hash of an update';
  }
  return null;
}

/** The chunk's rows as they are mixed: the updates, then the history row where the rule has one. */
async function rowsOf(
  { parameters, base, rows, previousModel }: Pick<ReplayInput, 'parameters' | 'base' | 'rows' | 'previousModel'>,
  layout: VectorLayout,
  chunk: number,
): Promise<Int16Array[]> {
  const updates: Int16Array[] = [];
  for (const row of rows) updates.push(viewInt16(await chunkOf(row, layout, chunk)));
  if (!usesHistory(parameters.rule)) return updates;
  const before = previousModel === null ? null : viewInt32(await chunkOf(previousModel, layout, chunk));
  return [...updates, historyChunk(viewInt32(await chunkOf(base, layout, chunk)), before, parameters)];
}

async function chunkOf(vector: Payload, layout: VectorLayout, chunk: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(vector.length / layout.chunkCount);
  await vector.read(chunk * bytes.length, bytes);
  return bytes;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return toHex(a) === toHex(b);
}

/**
 * Bad coordinate: one coordinate opened in what was published and in what that is computed from; the judge computes it
 * anew. A server step with state publishes two numbers a coordinate: the state, made of the updates and the state before,
 * and the model, made of the PUBLISHED state and the model before. Each proof is about one of them, so none costs more
 * than one of a stateless step. Spec: docs/spec/disputes.md, "Bad coordinate".
 */
import { sha256 } from '#sha256';
import { needsGram } from '../aggregation/rule.ts';
import { stateVectors } from '../aggregation/serverStep.ts';
import { modelLeaf } from '../commitment/merkle.ts';
import { sumLeafPreimage } from '../commitment/merkleSum.ts';
import {
  foldModelPath,
  foldSumPath,
  isRoot,
  MODEL_STEP_BYTES,
  packSumPath,
  SUM_STEP_BYTES,
  unpackModelPath,
  unpackSumPath,
} from '../commitment/openings.ts';
import { concatBytes, type Hex, toHex, uintBytes, ZERO_HASH } from '../encoding/bytes.ts';
import { stateLayout, type VectorLayout } from '../encoding/layout.ts';
import { fractionShift, layoutOf } from '../round/parameters.ts';
import { type Publication, publicationHash } from '../round/publication.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import {
  checkEnforced,
  checkLength,
  checkPublication,
  type DisputedRound,
  malformed,
  type Verdict,
  validRows,
} from './disputedRound.ts';
import {
  moveByDelta,
  moveByState,
  NO_STATE,
  readMixing,
  recomputeDelta,
  recomputeState,
  type StateCoordinate,
} from './recomputeCoordinate.ts';
import { modelTree, type ReadChunk, updateTree } from './trees.ts';

const NO_BYTES = new Uint8Array(0);

/** As the contract's struct `CoordinateProof`; a field that its proof does not need is empty. */
export interface BadCoordinateProof {
  readonly kind: 'badCoordinate';
  readonly round: number;
  readonly chunk: number;
  /** Index within the chunk. */
  readonly coordinate: number;
  readonly publication: Publication;
  /** About the state: the publication that it comes from. Else, and when there is none, null. */
  readonly previous: Publication | null;
  /** Empty about the model of a step with state. */
  readonly reveals: readonly RevealedUpdate[];
  /** For each valid update by index: u64 sum | 2K bytes | depth * (hash 32 | sum 8). Empty as the reveals are. */
  readonly rows: readonly Uint8Array[];
  /** 4K bytes | depth * 32, under the base model's root. Empty about the state, as the new one is. */
  readonly oldModel: Uint8Array;
  readonly newModel: Uint8Array;
  /** 4K bytes of each of the state's vectors | depth * 32, under the previous state's root; empty about the model, and
   * when there is none. */
  readonly oldState: Uint8Array;
  /** Empty for a stateless step. */
  readonly newState: Uint8Array;
  /** Preimage of the published mixing hash; empty for a rule without, and when there are no rows. */
  readonly mixing: Uint8Array;
}

/** @throws AssayError `PROOF_MALFORMED` where the contract would revert. */
export function judgeBadCoordinate(round: DisputedRound, proof: BadCoordinateProof): Verdict {
  const { publication, chunk, coordinate } = proof;
  checkEnforced(round);
  const { serverStep, modelFractionBits } = round.parameters;
  const layout = layoutOf(round.parameters);
  if (!(chunk >= 0 && chunk < layout.chunkCount && coordinate >= 0 && coordinate < layout.chunkSize)) {
    throw malformed('there is no such coordinate', `chunk < ${layout.chunkCount}, coordinate < ${layout.chunkSize}`);
  }
  checkPublication(round, publication);
  const model = (what: string, root: Hex, opening: Uint8Array) =>
    modelCoordinate(layout, what, root, chunk, coordinate, opening);
  const state = (what: string, root: Hex, opening: Uint8Array) =>
    stateCoordinate(layout, stateVectors(serverStep), what, root, chunk, coordinate, opening);
  const isRightModel = (move: (before: bigint) => bigint) => {
    const before = model('the old model', round.baseModelRoot, proof.oldModel);
    return move(before) === model('the new model', publication.modelRoot, proof.newModel);
  };

  if (stateVectors(serverStep) === 0) {
    checkLength('the old server state', proof.oldState, 0);
    checkLength('the new server state', proof.newState, 0);
    const delta = rightDelta(round, proof, layout);
    return isRightModel((before) => moveByDelta(serverStep, before, delta)) ? 'innocent' : 'guilty';
  }
  const published = state('the new server state', publication.stateRoot, proof.newState);
  if (proof.newModel.length === 0) {
    checkLength('the old model', proof.oldModel, 0);
    const before = oldState(round, proof, state);
    const right = recomputeState(serverStep, before, rightDelta(round, proof, layout));
    const same = published.momentum === right.momentum && published.secondMoment === right.secondMoment;
    return same ? 'innocent' : 'guilty';
  }
  checkLength('the old server state', proof.oldState, 0);
  checkLength('the mixing matrix', proof.mixing, 0);
  if (proof.rows.length > 0 || proof.reveals.length > 0) {
    throw malformed('the model follows from the published state alone', 'no rows and no reveals');
  }
  const move = (before: bigint) => moveByState(serverStep, modelFractionBits, before, published);
  return isRightModel(move) ? 'innocent' : 'guilty';
}

/** What the rule makes of the rows. */
function rightDelta(round: DisputedRound, proof: BadCoordinateProof, layout: VectorLayout): bigint {
  const { rule } = round.parameters;
  const { publication, chunk, coordinate } = proof;
  const rows = validRows(round, proof.reveals);
  if (proof.rows.length !== rows.length) {
    throw malformed('not every valid update is opened', `${rows.length} rows`, proof.rows.length);
  }
  const column = rows.map((revealed, i) => rowCoordinate(layout, revealed, chunk, coordinate, proof.rows[i]!));
  const mixes = needsGram(rule);
  if (!mixes) checkLength('the mixing matrix', proof.mixing, 0);
  else if (toHex(sha256(proof.mixing)) !== publication.mixingHash.toLowerCase()) {
    throw malformed('this is not the published mixing matrix', publication.mixingHash);
  }
  const mixing = mixes ? readMixing(rule, rows.length, proof.mixing) : null;
  return recomputeDelta(rule, fractionShift(round.parameters), column, mixing);
}

/** Zeros before the first publication. */
function oldState(
  round: DisputedRound,
  { previous, oldState }: BadCoordinateProof,
  at: (what: string, root: Hex, opening: Uint8Array) => StateCoordinate,
): StateCoordinate {
  if (round.previousPublicationHash === ZERO_HASH) {
    checkLength('the old server state', oldState, 0);
    return NO_STATE;
  }
  if (previous === null || publicationHash(previous) !== round.previousPublicationHash) {
    throw malformed('this is not the publication before the round', round.previousPublicationHash);
  }
  return at('the old server state', previous.stateRoot, oldState);
}

/** What the builder reads. Shapes: everything in the payloads' own form. */
export interface CoordinateSources {
  /** For each valid update by index, its chunks. */
  readonly rows: readonly ReadChunk[];
  readonly base: ReadChunk;
  /** The published model: its chunks, or the opening (4K bytes | path) that an availability answer gave. */
  readonly model: ReadChunk | Uint8Array;
  /** Chunks of 4K bytes of each of the state's vectors. Null for a stateless step, or before the first publication. */
  readonly oldState: ReadChunk | null;
  /** Null for a stateless step. */
  readonly newState: ReadChunk | Uint8Array | null;
  /** Preimage of the published mixing hash (`mixingPreimage`); null for a rule without. */
  readonly mixing: Uint8Array | null;
}

/**
 * The proof that coordinate `coordinate` of the whole vector is wrong, or null when it is right.
 * @throws AssayError `PROOF_MALFORMED` when a source is not what the chain names, so that nothing can be proven from it.
 */
export async function buildBadCoordinate(
  round: DisputedRound,
  number: number,
  publication: Publication,
  previous: Publication | null,
  reveals: readonly RevealedUpdate[],
  coordinate: number,
  sources: CoordinateSources,
): Promise<BadCoordinateProof | null> {
  const layout = layoutOf(round.parameters);
  const chunk = Math.floor(coordinate / layout.chunkSize);
  const rows: Uint8Array[] = [];
  for (const read of sources.rows) rows.push(await openRow(read, layout, chunk));
  const open = async (source: ReadChunk | Uint8Array | null) => {
    if (source === null) return NO_BYTES;
    return source instanceof Uint8Array ? source : await openModelChunk(source, layout, chunk);
  };
  const about = { kind: 'badCoordinate' as const, round: number, chunk, coordinate: coordinate % layout.chunkSize };
  const models = { oldModel: await open(sources.base), newModel: await open(sources.model) };
  const states = { oldState: await open(sources.oldState), newState: await open(sources.newState) };
  const fromRows = { reveals, rows, mixing: sources.mixing ?? NO_BYTES };
  const noModels = { oldModel: NO_BYTES, newModel: NO_BYTES };
  const noRows = { reveals: [], rows: [], mixing: NO_BYTES };
  const proofs: BadCoordinateProof[] =
    stateVectors(round.parameters.serverStep) > 0
      ? [
          { ...about, publication, previous, ...fromRows, ...noModels, ...states },
          { ...about, publication, previous: null, ...noRows, ...models, ...states, oldState: NO_BYTES },
        ]
      : [{ ...about, publication, previous: null, ...fromRows, ...models, ...states }];
  return proofs.find((proof) => judgeBadCoordinate(round, proof) === 'guilty') ?? null;
}

/** A chunk of an update for a proof: u64 sum | 2K bytes | path. One pass over the update. */
export async function openRow(read: ReadChunk, layout: VectorLayout, chunk: number): Promise<Uint8Array> {
  const tree = await updateTree(read, layout);
  return concatBytes(uintBytes(tree.node(0, chunk).sum, 8), await read(chunk), packSumPath(tree.path(0, chunk)));
}

/** A chunk of an update as an availability answer: 2K bytes | path. One pass over the update. */
export async function openUpdateChunk(read: ReadChunk, layout: VectorLayout, chunk: number): Promise<Uint8Array> {
  return (await openRow(read, layout, chunk)).slice(8);
}

/**
 * A chunk of a model or server state, for a proof or as an availability answer: 4K bytes of each vector | path. One pass
 * over it; `read` gives chunks of all its vectors.
 */
export async function openModelChunk(read: ReadChunk, layout: VectorLayout, chunk: number): Promise<Uint8Array> {
  const tree = await modelTree(read, layout);
  return concatBytes(await read(chunk), ...tree.path(0, chunk));
}

/**
 * The coordinate in an opened row. The leaf's sum is bound by the hash; whether it is right is bad sum's business.
 * @throws AssayError `PROOF_MALFORMED` when the row does not open under the commitment.
 */
export function rowCoordinate(
  layout: VectorLayout,
  revealed: RevealedUpdate,
  chunk: number,
  coordinate: number,
  opening: Uint8Array,
): bigint {
  const leafEnd = 8 + 2 * layout.chunkSize;
  checkLength('an opened update', opening, leafEnd + layout.depth * SUM_STEP_BYTES);
  const view = new DataView(opening.buffer, opening.byteOffset, opening.length);
  const sum = view.getBigUint64(0);
  const hash = sha256(sumLeafPreimage(sum, opening.subarray(8, leafEnd)));
  const top = foldSumPath({ hash, sum }, chunk, unpackSumPath(opening.subarray(leafEnd), layout.depth));
  if (top === undefined || top.sum !== revealed.normSq || !isRoot(top.hash, revealed.root)) {
    throw malformed(`the chunk is not of the update of participant ${revealed.index}`);
  }
  return BigInt(view.getInt16(8 + 2 * coordinate, true));
}

/**
 * The coordinate in an opened chunk of a server state of so many vectors (`stateVectors`).
 * @throws AssayError `PROOF_MALFORMED` when the chunk does not open under the root.
 */
export function stateCoordinate(
  layout: VectorLayout,
  vectors: number,
  what: string,
  root: Hex,
  chunk: number,
  coordinate: number,
  opening: Uint8Array,
): StateCoordinate {
  const whole = stateLayout(layout, vectors);
  const momentum = modelCoordinate(whole, what, root, chunk, coordinate, opening);
  if (vectors === 1) return { momentum, secondMoment: 0n };
  const view = new DataView(opening.buffer, opening.byteOffset, opening.length);
  const half = (plane: number) => BigInt(view.getUint32(4 * (plane * layout.chunkSize + coordinate), true));
  return { momentum, secondMoment: (half(2) << 32n) | half(1) };
}

/**
 * The coordinate in an opened chunk of a model.
 * @throws AssayError `PROOF_MALFORMED` when the chunk does not open under the root.
 */
export function modelCoordinate(
  layout: VectorLayout,
  what: string,
  root: Hex,
  chunk: number,
  coordinate: number,
  opening: Uint8Array,
): bigint {
  const leafEnd = 4 * layout.chunkSize;
  checkLength(what, opening, leafEnd + layout.depth * MODEL_STEP_BYTES);
  const path = unpackModelPath(opening.subarray(leafEnd), layout.depth);
  const folded = foldModelPath(modelLeaf(opening.subarray(0, leafEnd)), chunk, path);
  if (folded === undefined || !isRoot(folded, root)) throw malformed(`the chunk is not of ${what}`, root);
  return BigInt(new DataView(opening.buffer, opening.byteOffset, leafEnd).getInt32(4 * coordinate, true));
}

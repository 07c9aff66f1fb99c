/**
 * Every lie that an audit finds and that a proof exists for: the audit builds it, from what was served or, where nothing
 * was, from what was answered on the chain; and the judge, who is the contract's twin, convicts.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { assembleRounds } from '../../auditor/chain/assembleRounds.ts';
import { CHUNK_KINDS, type ChunkKind, decodeEvents, federationInterface } from '../../auditor/chain/decodeEvents.ts';
import type { ProofInHand, Question } from '../../auditor/disputes/dispute.ts';
import { disputedRound } from '../../auditor/disputes/disputedRound.ts';
import { encodeProof } from '../../auditor/disputes/encodeProof.ts';
import type { FiledDispute } from '../../auditor/disputes/proofFiles.ts';
import { stateVectors } from '../../protocol/aggregation/serverStep.ts';
import { encodeGramMatrix, gramMatrixBytes } from '../../protocol/commitment/gramTree.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { gramPath, packGramPath } from '../../protocol/commitment/openings.ts';
import { openModelChunk, openUpdateChunk } from '../../protocol/dispute/badCoordinate.ts';
import { type FraudProof, judgeProof } from '../../protocol/dispute/fraudProof.ts';
import { parseProofFile } from '../../protocol/dispute/proofFile.ts';
import { chunksOf, gramTree } from '../../protocol/dispute/trees.ts';
import { concatBytes, type Hex } from '../../protocol/encoding/bytes.ts';
import { cidFromBytes, cidToBytes, payloadCid } from '../../protocol/encoding/cid.ts';
import { stateLayout } from '../../protocol/encoding/layout.ts';
import { bytesOf, viewInt16 } from '../../protocol/encoding/vectors.ts';
import { mixingHash, parseRule, type ServerStep } from '../../protocol/index.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import {
  account,
  auditWorld,
  buildWorld,
  gramTreeOf,
  type Hooks,
  mixingOf,
  rootOf,
  type World,
  type WorldOptions,
} from './fixtures/federation.ts';
import { lyingCommitment } from './fixtures/lies.ts';
import { modelOfMixing } from './fixtures/models.ts';
import { ADAM, MOMENTUM } from './fixtures/serverSteps.ts';

const NNM = parseRule('nnm+trimmed-mean', 2);
const KRUM = parseRule('multi-krum', 2);
const TRIMMED = parseRule('trimmed-mean', 2);
const ROUND = 2;
const DIMENSION = 1500; // 47 chunks of 32: a Gram tree of three leaves and a missing one
const WRONG: Hex = `0x${'9a'.repeat(32)}`;
const layout = layoutOf({ dimension: DIMENSION, chunkSize: 32 });

function build(options: Omit<WorldOptions, 'rounds' | 'dimension'>): World {
  return buildWorld({ rounds: 3, dimension: DIMENSION, ...options });
}

/** What the audit would do about the federation. */
async function disputesOf(world: World, proofFolder?: string): Promise<FiledDispute[]> {
  const all: FiledDispute[] = [];
  await auditWorld(world, { proofFolder, onDisputes: (disputes) => all.push(...disputes) });
  return all;
}

function judge(world: World, proof: FraudProof) {
  const round = assembleRounds(world.facts, decodeEvents(world.facts.logs))[proof.round - 1]!;
  return judgeProof(disputedRound(world.facts, round), proof);
}

/** Expects one proof, of that kind, against that account; the judge convicts, and its calldata is the contract's. */
async function expectProof(world: World, kind: FraudProof['kind'], accused: Hex): Promise<FraudProof> {
  const disputes = await disputesOf(world);
  expect(disputes.map((dispute) => (dispute.type === 'proof' ? dispute.proof.kind : dispute.kind))).to.deep.equal([
    kind,
  ]);
  const { proof, accused: whom, round } = disputes[0] as ProofInHand;
  expect([whom, round, proof.round]).to.deep.equal([accused, ROUND, ROUND]);
  expect(judge(world, proof)).to.equal('guilty');
  expect(federationInterface.parseTransaction({ data: encodeProof(proof) })).to.not.equal(null);
  return proof;
}

const leaderOf = (world: World): Hex => world.aggregators[(ROUND - 1) % world.aggregators.length]!;
const inRound = (act: NonNullable<Hooks['compute']>): Hooks => ({
  compute(draft) {
    if (draft.round === ROUND) act(draft);
  },
});

let asked = 0;

/** The chain after somebody asked and the owner answered. */
function answer(world: World, kind: ChunkKind, index: number, chunk: number, opening: Uint8Array): void {
  const id = `0x${(++asked).toString(16).padStart(64, '0')}`;
  const { facts } = world;
  const put = (name: string, args: readonly unknown[]) => {
    const { topics, data } = federationInterface.encodeEventLog(name, [...args]);
    const last = facts.logs.at(-1)!;
    const log = { ...last, topics: topics as Hex[], data: data as Hex, logIndex: last.logIndex + 1 };
    facts.logs.push(log);
  };
  const owner = account(1);
  put('ChallengeOpened', [id, ROUND, CHUNK_KINDS.indexOf(kind), index, chunk, account(2), owner, 5n, 100]);
  put('ChallengeAnswered', [id, ROUND, owner, 5n, opening]);
  facts.balance += 5n;
}

/** Answers every question until there is a proof or nothing to ask. Returns how many times had to be asked. */
async function answerAll(
  world: World,
  open: (question: Question) => Promise<Uint8Array>,
): Promise<{ readonly questions: number; readonly proof: FraudProof | null }> {
  for (let questions = 0; questions < 100; questions++) {
    const disputes = await disputesOf(world);
    if (disputes.length === 0) return { questions, proof: null };
    const [dispute] = disputes;
    if (dispute?.type === 'proof') {
      expect(judge(world, dispute.proof)).to.equal('guilty');
      return { questions, proof: dispute.proof };
    }
    for (const question of disputes as Question[]) {
      answer(world, question.kind, question.index, question.chunk, await open(question));
    }
  }
  throw new Error('asks for ever');
}

/** Where a coordinate stands in one of the three vectors of an adaptive step's state. */
function placeInState(coordinate: number, vector: number): number {
  return (Math.floor(coordinate / 32) * 3 + vector) * 32 + (coordinate % 32);
}

function stateRoot(step: ServerStep, state: Int32Array): Hex {
  return commitModel(state, stateLayout(layout, stateVectors(step)));
}

describe('what an audit proves about an aggregator', () => {
  it('one wrong coordinate of the model, wherever, with every rule and step', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(NNM, KRUM, TRIMMED),
        fc.constantFrom<(ServerStep | undefined)[]>(undefined, MOMENTUM, ADAM),
        fc.integer({ min: 0, max: layout.chunkCount * 32 - 1 }), // the padding, too
        async (rule, serverStep, k) => {
          const world = build({
            rule,
            ...(serverStep === undefined ? {} : { serverStep }),
            hooks: inRound((draft) => {
              draft.model[k] = draft.model[k]! + 7;
              draft.roots.modelRoot = paddedRoot(draft.model);
            }),
          });
          const proof = await expectProof(world, 'badCoordinate', leaderOf(world));
          expect(proof).to.include({ chunk: Math.floor(k / 32), coordinate: k % 32 });
        },
      ),
      { numRuns: 6 },
    ));

  it('one wrong number of the server state, in any of its vectors', async () => {
    for (const [serverStep, at] of [
      [MOMENTUM, 1234],
      [ADAM, placeInState(1234, 0)],
      [ADAM, placeInState(1234, 1)],
      [ADAM, placeInState(1234, 2)],
    ] as const) {
      const world = build({
        rule: TRIMMED,
        serverStep,
        hooks: inRound((draft) => {
          draft.velocity![at] = draft.velocity![at]! + 1;
          draft.roots.stateRoot = stateRoot(serverStep, draft.velocity!);
        }),
      });
      const proof = await expectProof(world, 'badCoordinate', leaderOf(world));
      expect(proof).to.include({ chunk: Math.floor(1234 / 32), coordinate: 1234 % 32 });
    }
  });

  it('a wrong state, or a wrong model beside a right one, that nobody serves: from the answers', async () => {
    for (const [kind, serverStep, at] of [
      ['state', MOMENTUM, 1234],
      ['model', MOMENTUM, 1234],
      ['state', ADAM, placeInState(1234, 2)],
      ['model', ADAM, 1234],
    ] as const) {
      let lie = new Int32Array(0);
      const world = build({
        rule: TRIMMED,
        serverStep,
        hooks: {
          ...inRound((draft) => {
            const vector = kind === 'state' ? draft.velocity! : draft.model;
            vector[at] = vector[at]! + 1;
            if (kind === 'state') draft.roots.stateRoot = stateRoot(serverStep, vector);
            else draft.roots.modelRoot = paddedRoot(vector);
            lie = vector.slice();
          }),
          finish(draft) {
            if (draft.round !== ROUND) return;
            draft.modelPayload = null;
            draft.statePayload = null;
          },
        },
      });
      const { questions, proof } = await answerAll(world, (question) => {
        expect(question.kind).to.equal(kind);
        const shape = stateLayout(layout, kind === 'state' ? stateVectors(serverStep) : 1);
        return openModelChunk(chunksOf(bytesOf(lie), 4 * shape.chunkSize), shape, question.chunk);
      });
      expect(proof).to.include({ kind: 'badCoordinate', chunk: Math.floor(1234 / 32), coordinate: 1234 % 32 });
      expect(questions).to.be.within(1, layout.depth + 1);
    }
  });

  it('an update left out', async () => {
    const world = build({
      rule: { ...TRIMMED, byzantine: 1 },
      hooks: { rows: (round, rows) => (round === ROUND ? rows.slice(1) : rows) },
    });
    await expectProof(world, 'badCoordinate', leaderOf(world));
  });

  it('a wrong entry of the Gram matrix, in any of its leaves', async () => {
    for (const span of [0, 1, 2]) {
      const world = build({
        rule: NNM,
        hooks: inRound((draft) => {
          const values = draft.gramSpans[span]!;
          values[9] = values[9]! + 1n;
          draft.roots.gramRoot = gramTreeOf(draft.gramSpans, 7, layout.chunkCount).gramRoot;
        }),
      });
      const proof = await expectProof(world, 'badGramLeaf', leaderOf(world));
      expect(proof).to.include({ span, first: 1, second: 3 });
    }
  });

  it('a wrong mixing matrix over the right Gram matrix, followed by the model', async () => {
    // The lie about buckets is another seed than the round's.
    for (const rule of [NNM, KRUM, parseRule('arc+trimmed-mean', 2), parseRule('bucketing+median', 1)]) {
      const honest = build({ rule });
      const world = build({
        rule,
        hooks: inRound((draft) => {
          const gram = draft.gram!.slice();
          gram[0] = gram[0]! + 10n ** 13n;
          const { mixing } = mixingOf(rule, gram, 7);
          draft.mixing = mixing;
          draft.roots.mixingHash = mixingHash(mixing);
          const rows = draft.evidence.submissions.map(({ cid }) => viewInt16(honest.payloads.get(cid)!));
          const { parameters } = honest.facts;
          draft.model = modelOfMixing(parameters, rows, honest.models[ROUND - 1]!, mixing);
          draft.roots.modelRoot = paddedRoot(draft.model);
        }),
      });
      await expectProof(world, 'badMixing', leaderOf(world));
    }
  });

  it('a wrong model that nobody serves: asked for, chunk by chunk, until the answers prove it', async () => {
    let lie = new Int32Array(0);
    const world = build({
      rule: TRIMMED,
      hooks: {
        ...inRound((draft) => {
          draft.model[777] = draft.model[777]! ^ 1;
          draft.roots.modelRoot = paddedRoot(draft.model);
          lie = draft.model.slice();
        }),
        finish(draft) {
          if (draft.round === ROUND) draft.modelPayload = null;
        },
      },
    });
    const { questions, proof } = await answerAll(world, ({ kind, chunk }) => {
      expect(kind).to.equal('model');
      return openModelChunk(chunksOf(bytesOf(lie), 128), layout, chunk);
    });
    expect(proof).to.include({ kind: 'badCoordinate', chunk: Math.floor(777 / 32), coordinate: 777 % 32 });
    expect(questions).to.be.within(1, layout.depth + 1);
  });

  it('a right model that nobody serves: asked for once', async () => {
    const world = build({ rule: TRIMMED });
    const right = world.models[ROUND]!;
    world.payloads.delete(payloadCid(bytesOf(right)));
    const { questions, proof } = await answerAll(world, ({ chunk }) =>
      openModelChunk(chunksOf(bytesOf(right), 128), layout, chunk),
    );
    expect([questions, proof]).to.deep.equal([1, null]);
  });

  it('a wrong Gram matrix whose leaves nobody serves: from the answers', async () => {
    let spans: BigInt64Array[] = [];
    const world = build({
      rule: KRUM,
      hooks: inRound((draft) => {
        draft.gramSpans[2]![0] = draft.gramSpans[2]![0]! - 5n;
        draft.roots.gramRoot = gramTreeOf(draft.gramSpans, 7, layout.chunkCount).gramRoot;
        spans = draft.gramSpans;
        draft.gramSpans = [];
      }),
    });
    const payload = concatBytes(...spans.map(encodeGramMatrix));
    const readSpan = chunksOf(payload, gramMatrixBytes(7));
    const tree = await gramTree(readSpan, 7, layout);
    const { questions, proof } = await answerAll(world, async ({ kind, chunk }) => {
      expect(kind).to.equal('gram');
      return concatBytes(await readSpan(chunk), packGramPath(gramPath(tree, 0, chunk)));
    });
    expect(proof).to.include({ kind: 'badGramLeaf', span: 2, first: 0, second: 0 });
    expect(questions).to.be.within(1, 3);
  });
});

describe('a federation that is audited only', () => {
  const MEDIAN = parseRule('geometric-median', 2);

  it('has findings like any other, and no proofs that its contract would refuse', async () => {
    const lies: Record<string, NonNullable<Hooks['compute']>> = {
      modelMismatch(draft) {
        draft.model[7] = draft.model[7]! + 1;
        draft.roots.modelRoot = paddedRoot(draft.model);
      },
      mixingMismatch(draft) {
        draft.roots.mixingHash = WRONG;
      },
      gramMismatch(draft) {
        draft.roots.gramRoot = WRONG;
      },
    };
    for (const [kind, lie] of Object.entries(lies)) {
      const world = build({ rule: MEDIAN, enforced: false, hooks: inRound(lie) });
      const disputes: FiledDispute[] = [];
      const report = await auditWorld(world, { onDisputes: (some) => disputes.push(...some) });
      expect(disputes).to.deep.equal([]);
      expect(report.findings.map((finding) => [finding.kind, finding.round])).to.deep.equal([[kind, ROUND]]);
      expect(report).to.include({ ok: false });
      expect(report.rounds[ROUND - 1]!.notes.join()).to.contain('Audit only');
    }
  });

  it('still convicts who lies about a sum, and asks for a model that is not served', async () => {
    const liar = build({
      rule: MEDIAN,
      enforced: false,
      hooks: {
        move(move) {
          if (move.round !== ROUND || move.index !== 2) return;
          Object.assign(move.submission, lyingCommitment(layout, move.stored!, 3, 1));
        },
      },
    });
    await expectProof(liar, 'badSum', liar.participants[2]!);
    const silent = build({
      rule: MEDIAN,
      enforced: false,
      hooks: {
        finish(draft) {
          if (draft.round === ROUND) draft.modelPayload = null;
        },
      },
    });
    const disputes = await disputesOf(silent);
    expect(disputes.map(({ type, accused }) => [type, accused])).to.deep.equal([['question', leaderOf(silent)]]);
    expect(disputes[0]).to.include({ kind: 'model', chunk: 0 });
  });
});

describe('what an audit proves about a participant', () => {
  it('a smaller norm than its update has, by one lie anywhere in its tree', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 0, max: layout.chunkCount - 1 }),
        fc.integer({ min: 0, max: layout.depth }),
        async (liar, chunk, level) => {
          const world = build({
            rule: TRIMMED,
            hooks: {
              move(move) {
                if (move.round !== ROUND || move.index !== liar) return;
                Object.assign(move.submission, lyingCommitment(layout, move.stored!, chunk, level));
              },
            },
          });
          await expectProof(world, 'badSum', world.participants[liar]!);
        },
      ),
      { numRuns: 8 },
    ));

  it('dirty padding', async () => {
    const world = build({
      rule: TRIMMED,
      hooks: {
        move(move) {
          if (move.round !== ROUND || move.index !== 4) return;
          const dirty = move.stored!.slice();
          dirty[dirty.length - 1] = 1;
          move.stored = dirty;
          move.submission.cid = cidToBytes(payloadCid(dirty));
          Object.assign(move.submission, lyingCommitment(layout, dirty, 0, -1));
        },
      },
    });
    await expectProof(world, 'badSum', world.participants[4]!);
  });

  it('other bytes than it committed to: asked for until they are known, and then the round is computed with them', async () => {
    let committed: Uint8Array = new Uint8Array(0);
    const honest = build({ rule: TRIMMED });
    const world = build({
      rule: TRIMMED,
      hooks: {
        move(move) {
          if (move.round !== ROUND || move.index !== 5) return;
          committed = move.stored!;
          const other = committed.slice();
          other[200] = other[200]! ^ 255;
          other[2500] = other[2500]! ^ 255;
          move.stored = other;
          move.submission.cid = cidToBytes(payloadCid(other));
        },
        // The aggregator got the committed bytes, from wherever.
        compute(draft) {
          if (draft.round !== ROUND) return;
          draft.model = honest.models[ROUND]!.slice();
          draft.roots.modelRoot = honest.facts.rounds[ROUND - 1]!.modelRoot;
          const right = evidenceOf(honest);
          draft.evidence.submissions = draft.evidence.submissions.map((row, i) => ({ ...row, trimmed: right[i]! }));
        },
      },
    });
    const [question] = (await disputesOf(world)) as Question[];
    expect(question).to.include({ type: 'question', kind: 'update', index: 5, accused: world.participants[5] });
    const { questions, proof } = await answerAll(world, ({ chunk }) =>
      openUpdateChunk(chunksOf(committed, 64), layout, chunk),
    );
    expect(proof).to.equal(null);
    expect(questions).to.be.within(2, layout.depth + 1);
    const report = await auditWorld(world);
    expect(report.rounds[ROUND - 1]).to.include({ verified: 'replayed', ok: true });
  });

  it('a payload of nothing but other bytes is known after as many steps as its tree is deep', async () => {
    let committed: Uint8Array = new Uint8Array(0);
    const world = build({
      rule: TRIMMED,
      hooks: {
        move(move) {
          if (move.round !== ROUND || move.index !== 5) return;
          committed = move.stored!;
          move.stored = committed.map((byte) => byte ^ 255);
          move.stored.set(committed.subarray(2 * DIMENSION), 2 * DIMENSION); // the padding
          move.submission.cid = cidToBytes(payloadCid(move.stored));
        },
      },
    });
    const { questions } = await answerAll(world, ({ chunk }) =>
      openUpdateChunk(chunksOf(committed, 64), layout, chunk),
    );
    expect(questions).to.be.within(2, layout.depth + 1);
  });

  it('a payload that nobody serves is asked for from its first chunk on', async () => {
    const world = build({ rule: TRIMMED });
    const { reveals } = assembleRounds(world.facts, decodeEvents(world.facts.logs))[ROUND - 1]!;
    world.payloads.delete(cidFromBytes(reveals.find(({ submission }) => submission.index === 3)!.submission.cid));
    const disputes = await disputesOf(world);
    expect(disputes.length).to.equal(1);
    expect(disputes[0]).to.include({ type: 'question', kind: 'update', index: 3, chunk: 0, role: 'participant' });
  });
});

describe('proof files', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-proofs-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are written with the audit and named in the finding', async () => {
    const world = build({
      rule: NNM,
      hooks: inRound((draft) => {
        draft.model[40] = 12_345;
        draft.roots.modelRoot = paddedRoot(draft.model);
      }),
    });
    const report = await auditWorld(world, { proofFolder: folder });
    const path = join(folder, `badCoordinate-round-${ROUND}.proof.json`);
    expect(report.findings.map(({ kind, proof }) => [kind, proof])).to.deep.equal([['modelMismatch', path]]);
    const file = parseProofFile(await readFile(path));
    expect(file).to.include({ chainId: world.facts.chainId, federation: world.facts.federation });
    expect(judge(world, file.proof)).to.equal('guilty');
  });

  it('an honest federation has none', async () => {
    for (const rule of [NNM, TRIMMED]) {
      expect(await disputesOf(build({ rule, serverStep: MOMENTUM, voided: { 2: [1] } }))).to.deep.equal([]);
    }
  });

  it('a lie that is none of ours to prove is not proven', async () => {
    const world = build({ rule: TRIMMED, hooks: inRound((draft) => Object.assign(draft.roots, { modelRoot: WRONG })) });
    // Nobody has bytes for that root: all that is left is to ask.
    const [dispute] = await disputesOf(world);
    expect(dispute).to.include({ type: 'question', kind: 'model', chunk: 0 });
  });
});

/** Root of a padded vector, its padding included. */
function paddedRoot(vector: Int32Array): Hex {
  return rootOf({ dimension: vector.length, chunkSize: 32 } as never, vector);
}

function evidenceOf(world: World): (number | null)[] {
  const published = assembleRounds(world.facts, decodeEvents(world.facts.logs))[ROUND - 1]!.published!;
  const bytes = world.payloads.get(cidFromBytes(published.publication.evidenceCid))!;
  const document = JSON.parse(new TextDecoder().decode(bytes)) as { submissions: { trimmed: number | null }[] };
  return document.submissions.map(({ trimmed }) => trimmed);
}

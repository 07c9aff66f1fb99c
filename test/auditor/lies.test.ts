/**
 * Every lie a peer can tell, one at a time, at random places: each is found, is the only finding, names the right kind,
 * round, culprit and place, and leaves the other rounds right.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { assembleRounds } from '../../auditor/chain/assembleRounds.ts';
import { decodeEvents, federationInterface } from '../../auditor/chain/decodeEvents.ts';
import { gramIndex } from '../../protocol/aggregation/gram.ts';
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import type { Finding } from '../../protocol/dispute/finding.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidFromBytes, cidToBytes, payloadCid } from '../../protocol/encoding/cid.ts';
import { bytesOf, viewInt16 } from '../../protocol/encoding/vectors.ts';
import { mixingHash as mixingHashOf, parseRule, type Rule, type ServerStep } from '../../protocol/index.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import {
  AGGREGATE_WINDOW,
  account,
  auditWorld,
  buildWorld,
  type Hooks,
  mixingOf,
  rootOf,
  type World,
  type WorldOptions,
} from './fixtures/federation.ts';
import { modelOfMixing, modelOfState } from './fixtures/models.ts';
import { MOMENTUM } from './fixtures/serverSteps.ts';

const NNM = parseRule('nnm+trimmed-mean', 2);
const TRIMMED = parseRule('trimmed-mean', 2);
const KRUM = parseRule('multi-krum', 2);
const ROUNDS = 3;
const DIMENSION = 700;
const WRONG: Hex = `0x${'9a'.repeat(32)}`;

const ruleAt = fc.constantFrom(NNM, TRIMMED, KRUM);
const gramRule = fc.constantFrom(NNM, KRUM);
const stepAt = fc.constantFrom<(ServerStep | undefined)[]>(undefined, MOMENTUM);
const roundAt = fc.integer({ min: 1, max: ROUNDS });
const participantAt = fc.integer({ min: 0, max: 6 });
const coordinateAt = fc.integer({ min: 0, max: DIMENSION - 1 });
const by = fc.constantFrom(1, -1, 1000, -70_000);
const seedAt = fc.integer({ min: 1, max: 1000 });

function build(rule: Rule, hooks: Hooks, more: Partial<WorldOptions> = {}): World {
  return buildWorld({ rule, rounds: ROUNDS, hooks, ...more });
}

const stepOf = (serverStep: ServerStep | undefined) => (serverStep === undefined ? {} : { serverStep });

interface Expected {
  readonly kind: Finding['kind'];
  readonly round: number;
  readonly accused: Hex | null;
  readonly severity?: Finding['severity'];
  readonly coordinate?: number;
  /** Rounds that cannot be verified as a consequence. */
  readonly unverifiable?: readonly number[];
}

/** Audits and expects exactly one finding. */
async function expectOne(world: World, expected: Expected): Promise<Finding> {
  const { kind, round, accused, severity = 'breach', coordinate, unverifiable = [] } = expected;
  const report = await auditWorld(world);
  expect(report.findings.map((f) => [f.kind, f.round, f.severity, f.accused])).to.deep.equal([
    [kind, round, severity, accused],
  ]);
  const [finding] = report.findings;
  if (coordinate !== undefined) {
    expect(finding?.divergence?.coordinate).to.equal(coordinate);
    expect(finding?.divergence?.chunk).to.equal(Math.floor(coordinate / layoutOf(world.facts.parameters).chunkSize));
    expect(finding?.divergence?.round).to.equal(round);
  }
  expect(report.ok).to.equal(severity === 'misconduct');
  for (const each of report.rounds) {
    const unverified = unverifiable.includes(each.round);
    expect(each.verified === 'unverifiable', `round ${each.round} unverifiable`).to.equal(unverified);
    expect(each.ok, `round ${each.round} ok`).to.equal(
      !unverified && (each.round !== round || severity === 'misconduct'),
    );
  }
  return finding!;
}

const leaderOf = (world: World, round: number): Hex => world.aggregators[(round - 1) % world.aggregators.length]!;
const runs = (numRuns: number) => ({ numRuns });

describe('lies of an aggregator', () => {
  it('one wrong coordinate of the model, committed and stored: named with its place and values', () =>
    fc.assert(
      fc.asyncProperty(
        ruleAt,
        stepAt,
        roundAt,
        coordinateAt,
        by,
        seedAt,
        async (rule, serverStep, round, k, add, seed) => {
          let right = 0;
          const hooks: Hooks = {
            compute(draft) {
              if (draft.round !== round) return;
              right = draft.model[k]!;
              draft.model[k] = right + add;
              draft.roots.modelRoot = rootOf(world0.facts.parameters, draft.model);
            },
          };
          const world0 = build(rule, {}, { seed, ...stepOf(serverStep) });
          const world = build(rule, hooks, { seed, ...stepOf(serverStep) });
          const finding = await expectOne(world, {
            kind: 'modelMismatch',
            round,
            accused: leaderOf(world, round),
            coordinate: k,
          });
          expect(finding.divergence).to.include({ expected: right, published: (right + add) | 0 });
        },
      ),
      runs(8),
    ));

  it('a wrong model root over the right bytes', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, roundAt, async (rule, round) => {
        const world = build(rule, {
          compute(draft) {
            if (draft.round === round) draft.roots.modelRoot = WRONG;
          },
        });
        const finding = await expectOne(world, {
          kind: 'modelMismatch',
          round,
          accused: leaderOf(world, round),
          // The next round starts from a root without bytes: it can be checked no more, and says so.
          unverifiable: round < ROUNDS ? [round + 1] : [],
        });
        expect(finding.message).to.contain('its root is wrong');
      }),
      runs(4),
    ));

  it('other bytes under the model’s CID than under its root', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, stepAt, roundAt, coordinateAt, async (rule, serverStep, round, k) => {
        const hooks: Hooks = {
          finish(draft) {
            if (draft.round !== round) return;
            const other = draft.model.slice();
            other[k] = other[k]! + 5;
            draft.modelPayload = bytesOf(other);
            draft.modelCid = payloadCid(draft.modelPayload);
          },
        };
        const world = build(rule, hooks, stepOf(serverStep));
        await expectOne(world, {
          kind: 'modelPayloadMismatch',
          round,
          accused: leaderOf(world, round),
          coordinate: k,
        });
        const { rounds } = await auditWorld(world);
        if (round < ROUNDS) expect(rounds[round]?.notes.join()).to.contain(`replayed model of round ${round}`);
      }),
      runs(6),
    ));

  it('a model that nobody serves, or of the wrong length', async () => {
    for (const payload of [null, new Uint8Array(12)]) {
      const world = build(TRIMMED, {
        finish(draft) {
          if (draft.round !== 2) return;
          draft.modelPayload = payload;
          if (payload !== null) draft.modelCid = payloadCid(payload);
        },
      });
      await expectOne(world, {
        kind: payload === null ? 'payloadUnavailable' : 'payloadInvalid',
        round: 2,
        accused: leaderOf(world, 2),
      });
    }
  });

  it('a wrong root of the Gram matrix', () =>
    fc.assert(
      fc.asyncProperty(gramRule, roundAt, async (rule, round) => {
        const world = build(rule, {
          compute(draft) {
            if (draft.round === round) draft.roots.gramRoot = WRONG;
          },
        });
        await expectOne(world, { kind: 'gramMismatch', round, accused: leaderOf(world, round) });
      }),
      runs(4),
    ));

  it('a wrong Gram matrix that everything after it follows: one lie, and the pair is named', () =>
    fc.assert(
      fc.asyncProperty(gramRule, roundAt, participantAt, seedAt, async (rule, round, i, seed) => {
        const honest = build(rule, {}, { seed });
        const { parameters } = honest.facts;
        const hooks: Hooks = {
          compute(draft) {
            if (draft.round !== round) return;
            const entry = i * 7 - (i * (i - 1)) / 2; // G[i][i]: participant i seems far from everybody
            draft.gram![entry] = draft.gram![entry]! + 10n ** 12n;
            draft.roots.gramRoot = WRONG;
            const { mixing, hash } = mixingOf(rule, draft.gram!, 7);
            draft.mixing = mixing;
            draft.roots.mixingHash = hash;
            const rows = draft.evidence.submissions.map(({ cid }) => viewInt16(honest.payloads.get(cid)!));
            draft.model = modelOfMixing(parameters, rows, honest.models[round - 1]!, mixing);
            draft.roots.modelRoot = rootOf(parameters, draft.model);
          },
        };
        const lying = build(rule, hooks, { seed });
        const finding = await expectOne(lying, { kind: 'gramMismatch', round, accused: leaderOf(lying, round) });
        expect(finding.message).to.contain(`participants ${i} and ${i}`);
      }),
      runs(6),
    ));

  it('a wrong Gram matrix with a history row: the pair is named, and no participant for that row', async () => {
    const rule = parseRule('centered-clipping', 2, { radius: 4000n });
    for (const [first, second, names] of [
      [2, 5, 'participants 2 and 5'],
      [3, 7, 'participant 3 and the history row'],
    ] as const) {
      const hooks: Hooks = {
        compute(draft) {
          if (draft.round !== 2) return;
          const entry = gramIndex(8, first, second);
          draft.gram![entry] = draft.gram![entry]! + 1n;
          draft.roots.gramRoot = WRONG;
        },
      };
      const world = build(rule, hooks, { enforced: false });
      const finding = await expectOne(world, { kind: 'gramMismatch', round: 2, accused: leaderOf(world, 2) });
      expect(finding.message).to.contain(`The inner product of ${names} is wrong.`);
    }
  });

  it('a wrong mixing matrix that the model follows', () =>
    fc.assert(
      fc.asyncProperty(gramRule, roundAt, participantAt, seedAt, async (rule, round, victim, seed) => {
        const honest = build(rule, {}, { seed });
        const { parameters } = honest.facts;
        const hooks: Hooks = {
          compute(draft) {
            if (draft.round !== round) return;
            const gram = draft.gram!.slice();
            const entry = victim * 7 - (victim * (victim - 1)) / 2;
            gram[entry] = gram[entry]! > 10n ** 9n ? 0n : gram[entry]! + 10n ** 12n;
            const { mixing, hash } = mixingOf(rule, gram, 7);
            if (hash === draft.roots.mixingHash) mixing.weights.reverse();
            draft.mixing = mixing;
            draft.roots.mixingHash = mixingHashOf(mixing);
            const rows = draft.evidence.submissions.map(({ cid }) => viewInt16(honest.payloads.get(cid)!));
            draft.model = modelOfMixing(parameters, rows, honest.models[round - 1]!, mixing);
            draft.roots.modelRoot = rootOf(parameters, draft.model);
          },
        };
        const lying = build(rule, hooks, { seed });
        fc.pre(lying.facts.rounds[round - 1]!.publicationHash !== honest.facts.rounds[round - 1]!.publicationHash);
        await expectOne(lying, { kind: 'mixingMismatch', round, accused: leaderOf(lying, round) });
      }),
      runs(6),
    ));

  it('a wrong hash of the mixing matrix alone', async () => {
    const world = build(NNM, {
      compute(draft) {
        if (draft.round === 2) draft.roots.mixingHash = WRONG;
      },
    });
    await expectOne(world, { kind: 'mixingMismatch', round: 2, accused: leaderOf(world, 2) });
  });

  it('a Gram root or a mixing hash where the rule has none', async () => {
    const world = build(TRIMMED, {
      compute(draft) {
        if (draft.round === 2) draft.roots.gramRoot = WRONG;
      },
    });
    await expectOne(world, { kind: 'gramMismatch', round: 2, accused: leaderOf(world, 2) });
  });

  it('one wrong coordinate of the server state', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, roundAt, coordinateAt, by, fc.boolean(), async (rule, round, k, add, followed) => {
        const honest = build(rule, {}, stepOf(MOMENTUM));
        const { parameters } = honest.facts;
        const hooks: Hooks = {
          compute(draft) {
            if (draft.round !== round) return;
            draft.velocity![k] = draft.velocity![k]! + add;
            draft.roots.stateRoot = rootOf(parameters, draft.velocity!);
            if (!followed) return;
            draft.model = modelOfState(parameters, honest.models[round - 1]!, draft.velocity!);
            draft.roots.modelRoot = rootOf(parameters, draft.model);
          },
        };
        const world = build(rule, hooks, stepOf(MOMENTUM));
        await expectOne(world, { kind: 'stateMismatch', round, accused: leaderOf(world, round), coordinate: k });
      }),
      runs(8),
    ));

  it('a server state whose bytes are not those of its root: later rounds go on from the replay', async () => {
    const world = build(
      TRIMMED,
      {
        finish(draft) {
          if (draft.round !== 1) return;
          draft.statePayload = bytesOf(draft.velocity!.map((v) => v + 1));
          draft.evidence.stateCid = payloadCid(draft.statePayload);
        },
      },
      stepOf(MOMENTUM),
    );
    await expectOne(world, { kind: 'evidenceMismatch', round: 1, accused: leaderOf(world, 1) });
  });

  it('a participant left out, in silence or with a false reason', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, stepAt, roundAt, participantAt, async (rule, serverStep, round, victim) => {
        // f = 1: six rows are still enough for every rule
        const small = { ...rule, byzantine: 1 };
        const hooks: Hooks = {
          rows: (r, rows) => (r === round ? rows.filter(({ index }) => index !== victim) : rows),
        };
        const world = build(small, hooks, stepOf(serverStep));
        const finding = await expectOne(world, { kind: 'wronglyExcluded', round, accused: leaderOf(world, round) });
        expect(finding.message).to.contain(world.participants[victim]);
        expect(finding.divergence?.round).to.equal(round);
      }),
      runs(8),
    ));

  it('a voided submission let in', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, roundAt, participantAt, async (rule, round, voided) => {
        const small = { ...rule, byzantine: 1 };
        let all: Parameters<NonNullable<Hooks['rows']>>[1] = [];
        const hooks: Hooks = {
          move({ round: r, submission }) {
            if (r === round) all = [...all, submission];
          },
          rows: (r, rows) => (r === round ? all : rows),
        };
        const world = build(small, hooks, { voided: { [round]: [voided] } });
        await expectOne(world, { kind: 'modelMismatch', round, accused: leaderOf(world, round) });
      }),
      runs(4),
    ));

  it('each field of the evidence document', async () => {
    type Document = Parameters<NonNullable<Hooks['finish']>>[0]['evidence'];
    const lies: Record<string, (evidence: Document) => void> = {
      chainId: (e) => {
        e.chainId = 1;
      },
      federation: (e) => {
        e.federation = account(1);
      },
      round: (e) => {
        e.round = 7;
      },
      baseModelRoot: (e) => {
        e.baseModelRoot = WRONG;
      },
      modelRoot: (e) => {
        e.modelRoot = WRONG;
      },
      stateRoot: (e) => {
        e.stateRoot = WRONG;
      },
      gramRoot: (e) => {
        e.gramRoot = WRONG;
      },
      mixingHash: (e) => {
        e.mixingHash = WRONG;
      },
      submissions: (e) => {
        e.submissions = e.submissions.slice(1);
      },
      'submissions ': (e) => {
        e.submissions = e.submissions.map((s, i) => (i === 2 ? { ...s, normSq: '5' } : s));
      },
      'submissions  ': (e) => {
        e.submissions = [...e.submissions].reverse();
      },
      trimmed: (e) => {
        e.submissions = e.submissions.map((s, i) => (i === 2 ? { ...s, trimmed: s.trimmed! + 1 } : s));
      },
      gram: (e) => {
        e.gram = e.gram!.map((v, i) => (i === 9 ? `${v}1` : v));
      },
      'gram ': (e) => {
        e.gram = null;
      },
      mixing: (e) => {
        e.mixing = { ...e.mixing!, denominator: 3 };
      },
      // As 16 and 32 bits these are the right numbers, and so is their hash.
      'mixing ': (e) => {
        e.mixing = { ...e.mixing!, rows: e.mixing!.rows + 2 ** 16 };
      },
      'mixing  ': (e) => {
        e.mixing = { ...e.mixing!, weights: e.mixing!.weights.map((w, i) => (i === 1 ? w + 2 ** 32 : w)) };
      },
      gramCid: (e) => {
        e.gramCid = null;
      },
      'gramCid ': (e) => {
        e.gramCid = 'bafynonsense';
      },
      stateCid: (e) => {
        e.stateCid = null;
      },
      'stateCid ': (e) => {
        e.stateCid = 'bafynonsense';
      },
    };
    for (const [name, lie] of Object.entries(lies)) {
      const world = build(
        NNM,
        { finish: (draft) => (draft.round === 2 ? lie(draft.evidence) : undefined) },
        stepOf(MOMENTUM),
      );
      const finding = await expectOne(world, { kind: 'evidenceMismatch', round: 2, accused: leaderOf(world, 2) });
      expect(finding.message, name).to.contain(`"${name.trim()}"`);
    }
  });

  it('an evidence document that is missing, or is none', async () => {
    for (const bytes of [null, new TextEncoder().encode('{"format":"assay-evidence/2"}'), Uint8Array.of(255, 254)]) {
      const world = build(TRIMMED, {});
      const { publication } = publishedIn(world, 2);
      if (bytes === null) world.payloads.delete(publication);
      else replaceEvidence(world, bytes);
      const report = await auditWorld(world);
      const kinds = report.findings.map(({ kind, round }) => `${kind} ${round}`);
      expect(kinds).to.deep.equal(['payloadUnavailable 2']); // other bytes than the CID names are nobody's evidence
    }
    const malformed = build(TRIMMED, {
      finish(draft) {
        if (draft.round === 2) draft.evidence = { nothing: true } as never;
      },
    });
    await expectOne(malformed, { kind: 'evidenceMismatch', round: 2, accused: leaderOf(malformed, 2) });
  });

  it('publishing out of turn: somebody else, too early, too late', async () => {
    const second = account(0xa1);
    const third = account(0xa2);
    const cases: [aggregator: Hex, late: number, missed: Hex[], right: boolean][] = [
      [second, 0, [], true],
      [third, 0, [], false],
      [account(0x77), 0, [], false],
      [second, AGGREGATE_WINDOW + 1, [second], false],
      [third, AGGREGATE_WINDOW + 1, [second], true],
      [third, AGGREGATE_WINDOW + 1, [], false],
      [account(0xa0), AGGREGATE_WINDOW + 1, [second, third], false],
      [account(0xa0), 2 * AGGREGATE_WINDOW + 1, [second, third], true],
      [second, 3 * AGGREGATE_WINDOW + 1, [second, third, account(0xa0)], true],
      [third, 3 * AGGREGATE_WINDOW + 1, [second, third, account(0xa0)], false],
      [third, 4 * AGGREGATE_WINDOW + 1, [second, third, account(0xa0)], true],
      [second, 4 * AGGREGATE_WINDOW + 1, [second, third, account(0xa0)], false],
    ];
    for (const [aggregator, late, missed, right] of cases) {
      const world = build(
        TRIMMED,
        {
          finish(draft) {
            if (draft.round !== 2) return;
            draft.aggregator = aggregator;
            draft.publishedAt += late;
          },
        },
        { missedTurns: { 2: missed } },
      );
      if (right) expect((await auditWorld(world)).findings, `${aggregator} ${late}`).to.deep.equal([]);
      else await expectOne(world, { kind: 'wrongLeader', round: 2, accused: aggregator });
    }
  });
});

describe('lies of a participant', () => {
  it('a payload whose root or norm is not what it revealed: the round that counts it cannot be computed', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, roundAt, participantAt, fc.boolean(), async (rule, round, liar, norm) => {
        const world = build(rule, {
          move({ round: r, index, submission }) {
            if (r !== round || index !== liar) return;
            if (norm) submission.normSq -= 1n;
            else submission.root = WRONG;
          },
        });
        await expectOne(world, {
          kind: 'commitmentMismatch',
          round,
          accused: world.participants[liar]!,
          unverifiable: [round],
        });
      }),
      runs(6),
    ));

  it('the same, once it was voided: nothing to say', () =>
    fc.assert(
      fc.asyncProperty(ruleAt, roundAt, participantAt, async (rule, round, liar) => {
        const hooks: Hooks = {
          move({ round: r, index, submission }) {
            if (r === round && index === liar) submission.normSq -= 1n;
          },
        };
        const world = build({ ...rule, byzantine: 1 }, hooks, { voided: { [round]: [liar] } });
        const report = await auditWorld(world);
        expect(report.findings).to.deep.equal([]);
        expect(report.ok).to.equal(true);
        expect(report.rounds[round - 1]).to.include({ updates: 6, voided: 1, verified: 'replayed' });
      }),
      runs(4),
    ));

  it('a payload of the wrong length, with dirty padding, or other bytes under its CID', async () => {
    const spoil: Record<string, (stored: Uint8Array) => Uint8Array> = {
      short: (bytes) => bytes.slice(0, -2),
      padding: (bytes) => {
        const dirty = bytes.slice();
        dirty[dirty.length - 1] = 1;
        return dirty;
      },
    };
    for (const [name, alter] of Object.entries(spoil)) {
      const hooks: Hooks = {
        move(move) {
          if (move.round !== 2 || move.index !== 4) return;
          move.stored = alter(move.stored!);
          move.submission.cid = cidToBytes(payloadCid(move.stored));
          if (name === 'padding') Object.assign(move.submission, commitUpdate(move.stored, layout));
        },
        rows: (r, rows) => (r === 2 ? rows.filter(({ index }) => index !== 4) : rows),
      };
      const layout = layoutOf({ dimension: DIMENSION, chunkSize: 32 });
      const world = build({ ...NNM, byzantine: 1 }, hooks);
      const report = await auditWorld(world);
      expect(report.findings.map(({ kind, round, accused }) => [kind, round, accused])).to.deep.equal([
        ['payloadInvalid', 2, world.participants[4]],
        ['evidenceMismatch', 2, leaderOf(world, 2)], // it left out who counts
      ]);
      expect(report.rounds[1]?.verified).to.equal('unverifiable');
    }
  });

  it('a payload that nobody serves: the round cannot be computed; once it was voided, nothing is missing', async () => {
    const used = build(TRIMMED, {});
    used.payloads.delete(payloadOf(used, 2, 4));
    await expectOne(used, {
      kind: 'payloadUnavailable',
      round: 2,
      accused: used.participants[4]!,
      unverifiable: [2],
    });
    const voided = build({ ...TRIMMED, byzantine: 1 }, {}, { voided: { 2: [4] } });
    voided.payloads.delete(payloadOf(voided, 2, 4));
    expect((await auditWorld(voided)).findings).to.deep.equal([]);
  });

  it('a reveal that does not open its commit', () =>
    fc.assert(
      fc.asyncProperty(roundAt, participantAt, async (round, liar) => {
        const world = build(TRIMMED, {
          move(move) {
            if (move.round === round && move.index === liar) move.commitHash = WRONG;
          },
        });
        await expectOne(world, { kind: 'commitMismatch', round, accused: world.participants[liar]! });
      }),
      runs(5),
    ));

  it('a reveal whose transaction hides what it revealed is misconduct: it cannot make the audit fail', async () => {
    const world = build(TRIMMED, {});
    const [liar] = world.participants;
    const { reveals } = assembleRounds(world.facts, decodeEvents(world.facts.logs))[1]!;
    const { submission } = reveals.find(({ submission: { participant } }) => participant === liar)!;
    const revealCalldata = Object.fromEntries(
      Object.entries(world.facts.revealCalldata).map(([hash, data]): [string, Hex] => [
        hash,
        data.includes(submission.root.slice(2)) ? '0xc0ffee' : data,
      ]),
    );
    const hidden = { ...world, facts: { ...world.facts, revealCalldata } };
    await expectOne(hidden, { kind: 'commitMismatch', round: 2, accused: liar!, severity: 'misconduct' });
  });

  it('a copied update: somebody else’s of the same round, or its own of an earlier one', async () => {
    const seen: { submission: { root: Hex; normSq: bigint; cid: Uint8Array }; stored: Uint8Array | null }[] = [];
    const copyFrom = (source: [number, number], target: [number, number]): Hooks => ({
      move(move) {
        if (move.round === source[0] && move.index === source[1])
          seen[0] = { submission: move.submission, stored: move.stored };
        if (move.round !== target[0] || move.index !== target[1]) return;
        const { root, normSq, cid } = seen[0]!.submission;
        Object.assign(move.submission, { root, normSq, cid });
        move.stored = seen[0]!.stored;
      },
    });
    const others = build(TRIMMED, copyFrom([2, 1], [2, 3]));
    const copies = (await auditWorld(others)).findings;
    expect(copies.map(({ kind, round, severity }) => [kind, round, severity])).to.deep.equal([
      ['copiedUpdate', 2, 'misconduct'],
    ]);
    // In the order of the chain, which is not that of the indices, the later of the two is the copy.
    const first = others.facts.logs.filter((log) => log.topics[0] === revealTopic(others)).map((log) => log.topics[2]);
    const [a, b] = [1, 3].map((i) => first.indexOf(topicOf(others.participants[i]!), 7));
    expect(copies[0]?.accused).to.equal(others.participants[a! > b! ? 1 : 3]);
    const own = build(TRIMMED, copyFrom([1, 2], [3, 2]));
    await expectOne(own, { kind: 'copiedUpdate', round: 3, accused: own.participants[2]!, severity: 'misconduct' });
    const voided = build(TRIMMED, copyFrom([1, 2], [3, 2]), { voided: { 3: [2] } });
    expect((await auditWorld(voided)).findings).to.deep.equal([]);
  });

  it('a norm above the bound', async () => {
    const world = build(TRIMMED, {});
    const reveals = world.facts.rounds.length * 7;
    expect(reveals).to.equal(21);
    const norms = [0, 1, 2, 3, 4, 5, 6].map((i) => normOf(world, 2, i));
    const bound = norms.sort((a, b) => Number(b - a))[0]! - 1n;
    const bounded = build(TRIMMED, {}, { normSqBound: bound });
    const report = await auditWorld(bounded);
    const above = [1, 2, 3].flatMap((r) =>
      [0, 1, 2, 3, 4, 5, 6].filter((i) => normOf(world, r, i) > bound).map((i) => [r, i]),
    );
    expect(above.length).to.be.greaterThan(0);
    expect(report.findings.map(({ kind, round, accused }) => [kind, round, accused])).to.have.deep.members(
      above.map(([r, i]) => ['normBoundExceeded', r, world.participants[i!]]),
    );
  });
});

describe('lies of a node or of a contract', () => {
  const inconsistent: Record<string, (world: World) => void> = {
    'a reveal event left out': (w) => dropLog(w, 2, 'UpdateRevealed'),
    'a publication event left out': (w) => dropLog(w, 3, 'RoundPublished'),
    'an accumulator that is another': (w) => {
      w.facts.rounds[1]!.accumulator = WRONG;
    },
    'a publication hash that is another': (w) => {
      w.facts.rounds[1]!.publicationHash = WRONG;
    },
    'a model root that is another': (w) => {
      w.facts.rounds[1]!.modelRoot = WRONG;
    },
    'a base that is not the model before': (w) => {
      w.facts.rounds[1]!.baseModelRoot = WRONG;
    },
    'a voided submission without its event': (w) => {
      w.facts.rounds[1]!.voidedBitmap = 4n;
    },
    'a round that counts as final without its event': (w) => {
      w.facts.lastFinalRound = 1;
    },
    'penalties that nobody announced': (w) => {
      w.facts.totalBurned = 5n;
    },
    'a published round shown as open': (w) => {
      w.facts.rounds[2]!.phase = 'open';
    },
    'a log of another contract': (w) => {
      w.facts.logs[0]!.address = account(9);
    },
    'a later current round than events show': (w) => {
      w.facts.currentRound = 9;
    },
  };
  for (const [name, lie] of Object.entries(inconsistent)) {
    it(name, async () => {
      const world = build(TRIMMED, {});
      lie(world);
      const report = await auditWorld(world);
      expect(report.ok).to.equal(false);
      expect(report.findings.length).to.be.greaterThan(0);
      expect(new Set(report.findings.map(({ role }) => role))).to.deep.equal(new Set(['contract']));
      for (const { kind } of report.findings) expect(kind).to.be.oneOf(['chainInconsistent', 'accumulatorMismatch']);
    });
  }

  it('a genesis model that has no bytes, or others', async () => {
    const missing = build(TRIMMED, {});
    missing.payloads.delete(payloadCid(bytesOf(missing.models[0]!)));
    const report = await auditWorld(missing);
    expect(report.findings.map(({ kind, round }) => [kind, round])).to.deep.equal([['payloadUnavailable', 0]]);
    expect(report.rounds.map(({ verified }) => verified)).to.deep.equal(['unverifiable', 'replayed', 'replayed']);
    expect(report.rounds[0]?.notes.join()).to.contain('the genesis model has no bytes');
    const other = build(TRIMMED, {});
    other.facts.parameters.genesisModelCid = cidToBytes(payloadCid(bytesOf(other.models[1]!)));
    const second = await auditWorld(other);
    expect(second.findings.map(({ kind, round }) => [kind, round])).to.deep.equal([['modelPayloadMismatch', 0]]);
  });
});

function eventsOf(world: World, round: number) {
  return decodeEvents(world.facts.logs).filter((event) => 'round' in event && event.round === round);
}

function submissionOf(world: World, round: number, index: number) {
  for (const event of eventsOf(world, round)) {
    if (event.name === 'updateRevealed' && event.submission.index === index) return event.submission;
  }
  throw new Error('no such submission');
}

const payloadOf = (world: World, round: number, index: number) => cidFromBytes(submissionOf(world, round, index).cid);
const normOf = (world: World, round: number, index: number) => submissionOf(world, round, index).normSq;
const revealTopic = (_: World) => federationInterface.getEvent('UpdateRevealed')!.topicHash;
const topicOf = (address: Hex): Hex => `0x${'00'.repeat(12)}${address.slice(2)}`;

function publishedIn(world: World, round: number): { publication: string } {
  for (const event of eventsOf(world, round)) {
    if (event.name === 'roundPublished') return { publication: cidFromBytes(event.publication.evidenceCid) };
  }
  throw new Error('not published');
}

function replaceEvidence(world: World, bytes: Uint8Array): void {
  world.payloads.set(publishedIn(world, 2).publication, bytes);
}

function dropLog(world: World, round: number, name: string): void {
  const topic = federationInterface.getEvent(name)!.topicHash;
  const roundTopic = `0x${round.toString(16).padStart(64, '0')}`;
  const at = world.facts.logs.findIndex((log) => log.topics[0] === topic && log.topics[1] === roundTopic);
  expect(at).to.be.greaterThan(0);
  world.facts.logs.splice(at, 1);
}

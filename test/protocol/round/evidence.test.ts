import { expect } from 'chai';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeModel } from '../../../protocol/encoding/vectors.ts';
import { type Evidence, encodeEvidence, MAX_EVIDENCE_BYTES, parseEvidence } from '../../../protocol/round/evidence.ts';
import { isPublished, ROUND_PHASES } from '../../../protocol/round/phases.ts';
import { verifyModel } from '../../../protocol/round/verifyModel.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const word = (byte: string) => `0x${byte.repeat(32)}` as const;
const evidence: Evidence = {
  format: 'assay-evidence/2',
  chainId: 31337,
  federation: `0x${'Ab'.repeat(20)}`,
  round: 3,
  baseModelRoot: word('01'),
  modelRoot: word('02'),
  stateRoot: word('00'),
  gramRoot: word('03'),
  mixingHash: word('04'),
  stateCid: null,
  gramCid: 'bafk',
  submissions: [
    {
      index: 0,
      participant: `0x${'11'.repeat(20)}`,
      root: word('05'),
      normSq: '18446744073709551615',
      cid: 'bafk',
      trimmed: 12,
    },
    { index: 2, participant: `0x${'22'.repeat(20)}`, root: word('06'), normSq: '0', cid: 'bafk', trimmed: null },
  ],
  gram: ['5', '-9223372036854775808', '9223372036854775807'],
  mixing: { rows: 2, columns: 2, denominator: 2, weights: [1, 1, 1, 1] },
  metrics: { accuracy: 0.9125, loss: 0.31, samples: 1000 },
};
const parse = (document: unknown) => parseEvidence(new TextEncoder().encode(JSON.stringify(document)));

describe('the evidence document', () => {
  it('comes back from its bytes', () => {
    expect(parseEvidence(encodeEvidence(evidence))).to.deep.equal(evidence);
    const bare: Evidence = {
      ...evidence,
      submissions: [],
      gramCid: null,
      gram: null,
      mixing: null,
      metrics: null,
      stateCid: 'bafy',
    };
    expect(parseEvidence(encodeEvidence(bare))).to.deep.equal(bare);
  });

  const [first] = evidence.submissions;
  const wrong: [name: string, change: Record<string, unknown>, place: string][] = [
    ['another format', { format: 'assay-evidence/1' }, 'format'],
    ['round zero', { round: 0 }, 'round'],
    ['a short root', { modelRoot: '0x12' }, 'modelRoot'],
    ['a root in capitals', { gramRoot: word('AB') }, 'gramRoot'],
    ['a contract that is no address', { federation: word('01') }, 'federation'],
    ['a negative index', { submissions: [{ ...first, index: -1 }] }, 'submissions.0.index'],
    ['a norm with an exponent', { submissions: [{ ...first, normSq: '1e9' }] }, 'submissions.0.normSq'],
    ['a Gram entry that is a number', { gram: [5] }, 'gram.0'],
    ['a Gram entry of more digits than 64 bits have', { gram: [`-${'9'.repeat(21)}`] }, 'gram.0'],
    ['a norm of a million digits', { submissions: [{ ...first, normSq: '9'.repeat(1e6) }] }, 'submissions.0.normSq'],
    ['a fraction as a weight', { mixing: { ...evidence.mixing, weights: [0.5] } }, 'mixing.weights.0'],
    ['a list of who was left out', { excluded: [] }, 'its top level'],
    ['no gramCid field', { gramCid: undefined }, 'gramCid'],
    ['a field too many', { verdict: 'fine' }, 'its top level'],
    ['no metrics field', { metrics: undefined }, 'metrics'],
  ];
  for (const [name, change, place] of wrong) {
    it(`is refused with ${name}, and the message names the place`, () => {
      const error = expectAssayError('EVIDENCE', () => parse({ ...evidence, ...change }));
      expect(error.message).to.include(`wrong at ${place}\n`);
    });
  }

  it('is refused when it is not JSON, not UTF-8 or too large', () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0x7b), Uint8Array.of(0x22, 0xc0, 0x22)]) {
      expectAssayError('EVIDENCE', () => parseEvidence(bytes));
    }
    const padded = new Uint8Array(MAX_EVIDENCE_BYTES + 1).fill(0x20);
    padded.set(encodeEvidence(evidence));
    expect(parseEvidence(padded.subarray(0, MAX_EVIDENCE_BYTES))).to.deep.equal(evidence);
    expect(expectAssayError('EVIDENCE', () => parseEvidence(padded)).message).to.include('too large');
  });

  it('refuses to write a metric that is not a number', () => {
    const metrics = { accuracy: Number.NaN, loss: 0, samples: 1 };
    expectAssayError('JSON_VALUE', () => encodeEvidence({ ...evidence, metrics }));
  });
});

describe('a model snapshot that somebody served', () => {
  const layout = vectorLayout(20, 16);
  const model = Int32Array.from({ length: 20 }, (_, k) => k - 10);
  const root = commitModel(model, layout);

  it('is taken when its bytes have the root of the chain', () => {
    expect(verifyModel(encodeModel(model, layout), layout, root)).to.deep.equal(model);
  });

  it('is refused when CID and root disagree, in any coordinate', () => {
    for (let k = 0; k < 20; k++) {
      const payload = encodeModel(model, layout);
      payload[4 * k] = payload[4 * k]! ^ 1;
      const error = expectAssayError('MODEL_ROOT', () => verifyModel(payload, layout, root));
      expect(error.message).to.include(`Expected: root ${root}`).and.include('do not train on it');
    }
    expectAssayError('PAYLOAD_LENGTH', () => verifyModel(new Uint8Array(64), layout, root));
  });
});

describe('the phases of a round', () => {
  it('are two in which a model stands', () => {
    expect(ROUND_PHASES.filter(isPublished)).to.deep.equal(['challenge', 'final']);
  });
});

import { expect } from 'chai';
import { buildBadCoordinate } from '../../../protocol/dispute/badCoordinate.ts';
import { buildBadGramLeaf } from '../../../protocol/dispute/badGramLeaf.ts';
import { buildBadMixing } from '../../../protocol/dispute/badMixing.ts';
import { findCopiedUpdates } from '../../../protocol/dispute/copiedUpdate.ts';
import { type FraudProof, judgeProof, PROOF_KINDS } from '../../../protocol/dispute/fraudProof.ts';
import { encodeProofFile, MAX_PROOF_BYTES, PROOF_FORMAT, parseProofFile } from '../../../protocol/dispute/proofFile.ts';
import { openGramRoot } from '../../../protocol/dispute/provenLies.ts';
import { gramTree, modelTree } from '../../../protocol/dispute/trees.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import {
  coordinateSources,
  honestRound,
  modelChunks,
  NUMBER,
  Random,
  republish,
  spansOf,
  updateChunks,
} from '../support/disputeWorld.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const FEDERATION = `0x${'aB'.repeat(20)}` as const;
const file = (proof: FraudProof) => ({ chainId: 31337, federation: FEDERATION, proof });
const json = (proof: FraudProof) => JSON.parse(new TextDecoder().decode(encodeProofFile(file(proof))));
const parse = (document: unknown) => parseProofFile(new TextEncoder().encode(JSON.stringify(document)));

/** One proof of each kind; their openings are real, their verdicts guilty where that is easy to have. */
async function examples(): Promise<FraudProof[]> {
  const honest = honestRound(new Random(4), { rule: 'multi-krum', stateful: true, chunks: 20 });
  const n = honest.round.validUpdates;
  const tree = await gramTree(spansOf(honest), n, honest.layout);
  const root = await openGramRoot(tree, spansOf(honest), n, honest.layout);
  const payload = honest.model.slice();
  payload[0]! ^= 1;
  const whole = await modelTree(modelChunks(honest, payload), honest.layout);
  const lying = republish(
    honest,
    { modelRoot: toHex(whole.root), mixingHash: new Random(1).hash() },
    { model: payload, mixing: null },
  );
  const { round, publication, previous, reveals } = lying;
  const mixing = buildBadMixing(round, NUMBER, publication, reveals, root)!;
  const badModel = republish(honest, { modelRoot: toHex(whole.root) }, { model: payload });
  const coordinate = await buildBadCoordinate(
    badModel.round,
    NUMBER,
    badModel.publication,
    previous,
    reveals,
    0,
    coordinateSources(badModel),
  );
  const wrongSpans = honest.gramPayload!.slice();
  wrongSpans[7]! ^= 1;
  const size = 4 * n * (n + 1);
  const readSpan = (span: number) => wrongSpans.subarray(span * size, (span + 1) * size);
  const wrongTree = await gramTree(readSpan, n, honest.layout);
  const badGram = republish(honest, { gramRoot: toHex(wrongTree.root.hash) });
  const leaf = await buildBadGramLeaf(
    badGram.round,
    NUMBER,
    badGram.publication,
    reveals,
    { span: 0, first: 0, second: 0 },
    { tree: wrongTree, readSpan, first: updateChunks(honest, 0), second: updateChunks(honest, 0) },
  );
  const copies = findCopiedUpdates({ round: 9, reveals }, new Set(), [{ round: 8, reveals }]);
  return [
    {
      kind: 'badSum',
      round: 3,
      reveals,
      accused: 1,
      opening: {
        level: 2,
        position: 1,
        claimedSum: 2n ** 64n - 1n,
        preimage: Uint8Array.of(1, 2, 255),
        hash: new Random(2).hash(),
        path: [{ hash: new Random(3).hash(), sum: 0n }],
      },
    },
    {
      kind: 'badVacancy',
      round: 3,
      publication,
      tree: 'gram',
      level: 1,
      position: 3,
      hash: new Random(2).hash(),
      path: new Uint8Array(0),
    },
    coordinate!,
    leaf!,
    {
      kind: 'badGramNode',
      round: 3,
      level: 1,
      position: 0,
      publication,
      reveals,
      children: Uint8Array.of(0),
      path: Uint8Array.of(9),
    },
    mixing,
    copies[0]!,
  ];
}

describe('the proof file', () => {
  let proofs: FraudProof[];
  before(async () => {
    proofs = await examples();
  });

  it('comes back from its bytes, whatever the kind of proof', () => {
    expect(proofs.map(({ kind }) => kind)).to.deep.equal(PROOF_KINDS.slice(0, -1));
    for (const proof of proofs) expect(parseProofFile(encodeProofFile(file(proof)))).to.deep.equal(file(proof));
  });

  it('holds a proof that convicts after it was read', () => {
    const proof = proofs.find(({ kind }) => kind === 'badCoordinate')!;
    const read = parseProofFile(encodeProofFile(file(proof))).proof;
    const honest = honestRound(new Random(4), { rule: 'multi-krum', stateful: true, chunks: 20 });
    if (read.kind !== 'badCoordinate') throw new Error(read.kind);
    const { round } = republish(honest, { modelRoot: read.publication.modelRoot });
    expect(judgeProof(round, read)).to.equal('guilty');
  });

  it('is text that names its format, with every integer beyond 32 bits as text', () => {
    const document = json(proofs[0]!);
    expect(document.format).to.equal(PROOF_FORMAT);
    expect(document.proof.opening.claimedSum).to.equal('18446744073709551615');
    expect(document.proof.opening.preimage).to.equal('0x0102ff');
  });

  it('is refused with a field that is wrong, missing or too many, and the message names it', () => {
    const good = json(proofs[0]!);
    const wrong: [place: string, change: Record<string, unknown>][] = [
      ['format', { format: 'assay-proof/2' }],
      ['federation', { federation: '0x12' }],
      ['chainId', { chainId: '1' }],
      ['its top level', { note: 'trust me' }],
      ['proof.kind', { proof: { ...good.proof, kind: 'badLuck' } }],
      ['proof.round', { proof: { ...good.proof, round: 0 } }],
      ['proof', { proof: { ...good.proof, comment: '' } }],
      ['proof.accused', { proof: { ...good.proof, accused: -1 } }],
      ['proof.opening.claimedSum', { proof: { ...good.proof, opening: { ...good.proof.opening, claimedSum: 5 } } }],
      [
        'proof.opening.claimedSum',
        { proof: { ...good.proof, opening: { ...good.proof.opening, claimedSum: '18446744073709551616' } } },
      ],
      ['proof.opening.preimage', { proof: { ...good.proof, opening: { ...good.proof.opening, preimage: '0x123' } } }],
      ['proof.opening.hash', { proof: { ...good.proof, opening: { ...good.proof.opening, hash: '0x00' } } }],
    ];
    for (const [place, change] of wrong) {
      const error = expectAssayError('PROOF_FILE', () => parse({ ...good, ...change }));
      expect(error.message).to.include(`wrong at ${place}\n`);
    }
  });

  it('is refused when it is no JSON, or larger than any transaction', () => {
    expectAssayError('PROOF_FILE', () => parseProofFile(Uint8Array.of(0x7b)));
    expectAssayError('PROOF_FILE', () => parseProofFile(new Uint8Array(MAX_PROOF_BYTES + 1)));
  });

  it('does not write what it could not read', () => {
    const proof = proofs[0]!;
    if (proof.kind !== 'badSum') throw new Error(proof.kind);
    const opening = { ...proof.opening, claimedSum: 2n ** 64n };
    expectAssayError('PROOF_FILE', () => encodeProofFile(file({ ...proof, opening })));
  });
});

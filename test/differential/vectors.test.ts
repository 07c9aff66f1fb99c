/** The Solidity judges against test/vectors/disputes.json, which an independent implementation made. */
import { expect } from 'chai';
import { fromRule, fromServerStep } from '../../chain/convert.ts';
import { hasServerState } from '../../protocol/aggregation/serverStep.ts';
import type { DisputedRound } from '../../protocol/dispute/disputedRound.ts';
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { rowOrder, voidedIndices } from '../../protocol/round/submission.ts';
import { disputeVectors } from '../protocol/support/disputeVectors.ts';
import { type Harness, openHarness, type Question } from './harness.ts';
import {
  gramLeafQuestion,
  gramNodeQuestion,
  gramVacancyQuestion,
  mixingQuestion,
  shapeOf,
  sumQuestion,
} from './questions.ts';

/** The question of the libraries' judge; undefined where the modules judge themselves. */
function questionOf(round: DisputedRound, proof: FraudProof): Question | undefined {
  const layout = layoutOf(round.parameters);
  if (proof.kind === 'badSum') return sumQuestion(layout, proof.reveals[proof.accused]!, proof.opening);
  if (proof.kind === 'badCoordinate' || proof.kind === 'copiedUpdate') return undefined;
  const shape = shapeOf(layout, proof.publication, round.validUpdates);
  if (proof.kind === 'badVacancy') return proof.tree === 'gram' ? gramVacancyQuestion(proof, shape) : undefined;
  if (proof.kind === 'badGramNode') return gramNodeQuestion(proof, shape);
  if (proof.kind === 'badMixing') return mixingQuestion(proof, shape, round.parameters.rule, round.seed);
  const rows = rowOrder(proof.reveals, voidedIndices(round.voidedBitmap));
  return gramLeafQuestion(proof, shape, rows[proof.first]!, rows[proof.second]!);
}

describe('the vectors of disputes in Solidity', function () {
  this.timeout(120_000);
  let harness: Harness;
  const vectors = disputeVectors();
  before(async () => {
    harness = await openHarness();
  });
  after(() => harness.close());

  it('have the same verdicts', async () => {
    const asked = vectors.flatMap((vector) => {
      const question = questionOf(vector.round, vector.proof);
      // The list of reveals is the modules' to check.
      return question === undefined || vector.name === 'one reveal twice' ? [] : [{ ...vector, question }];
    });
    expect(asked.length).to.be.greaterThan(40);
    for (const { name, question, verdict } of asked) {
      expect((await harness.ask([question]))[0], name).to.equal(verdict);
    }
  });

  it('have openings that open, and coordinates that are the published ones where nobody lied', async () => {
    for (const { name, round, proof, verdict } of vectors) {
      if (proof.kind !== 'badCoordinate' || verdict === 'malformed') continue;
      const { parameters } = round;
      const layout = layoutOf(parameters);
      const [K, depth, chunk, k] = [layout.chunkSize, layout.depth, proof.chunk, proof.coordinate].map(BigInt);
      const rows = rowOrder(proof.reveals, voidedIndices(round.voidedBitmap));
      const opens: Question[] = rows.map(({ root, normSq }, i) => ({
        call: ['verifyUpdateOpening', [toHex(proof.rows[i]!), root, normSq, K, depth, chunk]],
        read: String,
      }));
      const models: [Uint8Array, `0x${string}` | undefined][] = [
        [proof.oldModel, round.baseModelRoot],
        [proof.newModel, proof.publication.modelRoot],
        [proof.oldState, proof.previous?.stateRoot],
        [proof.newState, proof.publication.stateRoot],
      ];
      for (const [opening, root] of models.filter(([opening]) => opening.length > 0)) {
        opens.push({ call: ['verifyModelOpening', [toHex(opening), root, K, depth, chunk]], read: String });
      }
      expect(new Set(await harness.ask(opens)), name).to.deep.equal(new Set(['true']));

      const value = (fn: string, opening: Uint8Array): Question => ({ call: [fn, [toHex(opening), k]], read: String });
      const column = (await harness.ask(proof.rows.map((row) => value('updateCoordinate', row)))).map(BigInt);
      const coordinate = async (opening: Uint8Array) =>
        opening.length === 0 ? 0n : BigInt((await harness.ask([value('modelCoordinate', opening)]))[0]!);
      const [oldModel, oldState] = [await coordinate(proof.oldModel), await coordinate(proof.oldState)];
      const [newModel, newState] = [await coordinate(proof.newModel), await coordinate(proof.newState)];
      const { rule, serverStep } = parameters;
      const state = (momentum: bigint) => ({ momentum, secondMoment: 0n });
      const bits = { model: parameters.modelFractionBits, update: parameters.updateFractionBits };
      const next = async (weight: bigint, before: bigint) => {
        const common = [fromRule(rule), fromServerStep(serverStep), bits, column, toHex(proof.mixing)];
        const read = ([made, { momentum }]: [bigint, { momentum: bigint }]) => `${made},${momentum}`;
        const [answer] = await harness.ask([{ call: ['nextCoordinate', [...common, weight, state(before)]], read }]);
        return answer!.split(',').map(BigInt);
      };
      let right: boolean;
      if (!hasServerState(serverStep)) right = (await next(oldModel, 0n))[0] === newModel;
      else if (proof.newModel.length === 0) right = (await next(0n, oldState))[1] === newState;
      else {
        const args = [fromServerStep(serverStep), BigInt(bits.model), oldModel, state(newState)];
        const [moved] = await harness.ask([{ call: ['movedByState', args], read: String }]);
        right = moved === String(newModel);
      }
      expect(right, name).to.equal(verdict === 'innocent');
    }
  });
});

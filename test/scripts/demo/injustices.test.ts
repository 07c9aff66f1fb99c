import { expect } from 'chai';
import { injustices, type Sentence } from '../../../scripts/demo/justice.ts';

const LIAR = '0x00000000000000000000000000000000000000aa';
const HONEST = '0x00000000000000000000000000000000000000bb';
const NAMES = new Map([
  [LIAR, 'client-3'],
  [HONEST, 'client-1'],
]);
const sentence: Sentence = {
  who: '0x00000000000000000000000000000000000000AA',
  role: 'participant',
  proof: 'badSum',
  round: 3,
  amountWei: '1',
  tx: '0x01',
  gas: 1,
};

describe('whether justice was done', () => {
  const rogues = new Map([[LIAR, 'lying-client' as const]]);

  it('the rogue was sentenced for what it did, and nobody else', () => {
    expect(injustices(rogues, [sentence], NAMES)).to.deep.equal([]);
    expect(injustices(new Map(), [], NAMES)).to.deep.equal([]);
  });

  it('a rogue that got away, or was sentenced for something else', () => {
    expect(injustices(rogues, [], NAMES)).to.deep.equal(['client-3 (lying-client) got away']);
    expect(injustices(rogues, [{ ...sentence, proof: 'unavailable' }], NAMES)).to.have.length(2);
    expect(injustices(rogues, [{ ...sentence, role: 'challenger' }], NAMES)).to.have.length(2);
  });

  it('an honest one that was sentenced', () => {
    const wrong = { ...sentence, who: HONEST };
    expect(injustices(rogues, [sentence, wrong], NAMES)).to.deep.equal(['client-1 was sentenced for badSum in 0x01']);
    expect(injustices(new Map(), [wrong], NAMES)).to.have.length(1);
    const copy: Sentence = { ...wrong, proof: 'copiedUpdate' };
    expect(injustices(new Map(), [copy], NAMES), 'a penalty, no sentence').to.deep.equal([]);
  });
});

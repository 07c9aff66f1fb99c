import { CarWriter } from '@ipld/car';
import { expect } from 'chai';
import { CID } from 'multiformats/cid';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { CarReader, encodeCarHeader } from '../../storage/car.ts';
import { collect, inPieces, sameBytes, testBytes } from './helpers.ts';

describe('CAR framing', () => {
  it('headers of any number of roots agree with IPLD', async () => {
    for (const count of [0, 1, 23, 24, 255, 256, 300]) {
      const many = Array.from({ length: count }, (_, i) => payloadCid(testBytes(4, `root ${i}`)));
      const header = encodeCarHeader(many);
      const { writer, out } = CarWriter.create(many.map((root) => CID.parse(root)));
      const theirs = collect(out);
      await writer.close();
      expect(sameBytes(header, await theirs), `${count} roots`).to.equal(true);
      const pieces = inPieces(header, 1000)[Symbol.asyncIterator]();
      const reader = new CarReader(async () => (await pieces.next()).value, 'test');
      expect(await reader.header()).to.deep.equal(many);
      expect(await reader.section()).to.equal(undefined);
    }
  });
});

import { expect } from 'chai';
import * as presets from '../../../client/models/presets.ts';
import { describeModel } from '../../../client/models/registry.ts';
import {
  checkManifest,
  encodeManifest,
  manifestDimension,
  parseManifest,
} from '../../../protocol/encoding/manifest.ts';

const merges = (count: number) => Array.from({ length: count }, (_, i): [number, number] => [i % 256, 97]);
const tokenizer = (vocabulary: number) => ({ kind: 'byte-bpe' as const, merges: merges(vocabulary - 257) });

const EXPECTED = {
  mnistMlp: [presets.mnistMlp(), 50_890],
  mnistCnn: [presets.mnistCnn(), 22_514],
  lenet: [presets.lenet(), 61_706],
  fedAvgCnn: [presets.fedAvgCnn(), 1_663_370],
  charLstm: [presets.charLstm('words', tokenizer(512)), 512 * 64 + 512 * 193 + 129 * 512],
  codeTransformer: [presets.codeTransformer('code', tokenizer(512)), 136_960],
  digitsVae: [presets.digitsVae(), 420_144],
  tabularMlp: [presets.tabularMlp('wards', { features: 12, classes: 3, hidden: 8 }), 131],
} as const;

describe('client models: presets', () => {
  for (const [name, [{ manifest, maxUpdateNorm }, dimension]] of Object.entries(EXPECTED)) {
    it(`${name} is a whole manifest that survives its encoding, of ${dimension} parameters`, () => {
      expect(checkManifest(manifest)).to.deep.equal(manifest);
      expect(parseManifest(encodeManifest(manifest))).to.deep.equal(manifest);
      expect(manifestDimension(manifest)).to.equal(dimension);
      expect(describeModel(manifest.model).task).to.equal(manifest.task);
      expect(maxUpdateNorm).to.be.above(0);
    });
  }
});

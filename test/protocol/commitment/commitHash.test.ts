import { expect } from 'chai';
import fc from 'fast-check';
import { encodeAbiParameters, parseAbiParameters, keccak256 as viemKeccak256 } from 'viem';
import { commitHash, type SealedUpdate } from '../../../protocol/commitment/commitHash.ts';
import { fromHex, type Hex, toHex } from '../../../protocol/encoding/bytes.ts';
import { runs } from '../support/arbitraries.ts';
import { loadVectors } from '../support/vectors.ts';

type Case = Omit<SealedUpdate, 'normSq' | 'cid'> & { name: string; normSq: string; cid: Hex; commitHash: Hex };
const { cases } = loadVectors<Case>('commitHash.json');
const layout = parseAbiParameters('uint256, address, uint64, bytes32, address, bytes32, uint64, bytes32, bytes32');

describe('the commit hash', () => {
  for (const { name, commitHash: expected, normSq, cid, ...rest } of cases) {
    it(`vector: ${name}`, () => {
      expect(commitHash({ ...rest, normSq: BigInt(normSq), cid: fromHex(cid) })).to.equal(expected);
    });
  }

  it('is keccak256(abi.encode(...)) as an independent ABI encoder writes it', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const update = fc.record({
      chainId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      federation: bytes(20).map(toHex),
      round: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      baseModelRoot: bytes(32).map(toHex),
      participant: bytes(20).map(toHex),
      root: bytes(32).map(toHex),
      normSq: fc.bigInt(0n, 2n ** 64n - 1n),
      cid: bytes(36),
      salt: bytes(32).map(toHex),
    });
    fc.assert(
      fc.property(update, (u) => {
        const encoded = encodeAbiParameters(layout, [
          BigInt(u.chainId),
          u.federation,
          BigInt(u.round),
          u.baseModelRoot,
          u.participant,
          u.root,
          u.normSq,
          viemKeccak256(u.cid),
          u.salt,
        ]);
        expect(commitHash(u)).to.equal(viemKeccak256(encoded));
      }),
      runs(40),
    );
  });
});

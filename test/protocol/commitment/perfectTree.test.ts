import { expect } from 'chai';
import fc from 'fast-check';
import {
  foldPath,
  openPath,
  PerfectTreeBuilder,
  type TreeKind,
  treeLevels,
} from '../../../protocol/commitment/perfectTree.ts';
import { treeDepth } from '../../../protocol/encoding/layout.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

/** A tree whose nodes spell their own shape, so that no two different trees are equal. */
const spelled: TreeKind<string> = { zero: '.', join: (left, right) => `(${left}${right})` };
const names = (count: number) => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));

/** The definition: missing leaves are zero leaves of a complete tree. */
function plainRoot(leaves: readonly string[], depth: number): string {
  if (depth === 0) return leaves[0] ?? '.';
  const half = 2 ** (depth - 1);
  return `(${plainRoot(leaves.slice(0, half), depth - 1)}${plainRoot(leaves.slice(half), depth - 1)})`;
}

function built(leaves: readonly string[], depth: number): string {
  const builder = new PerfectTreeBuilder(spelled, depth);
  for (const leaf of leaves) builder.append(leaf);
  expect(builder.finish()).to.equal(builder.finish());
  return builder.finish();
}

describe('perfect trees', () => {
  it('have the root of the definition for every number of leaves', () => {
    for (let count = 0; count <= 17; count++) {
      for (let depth = treeDepth(count); depth <= 6; depth++) {
        expect(built(names(count), depth), `${count} leaves, depth ${depth}`).to.equal(plainRoot(names(count), depth));
      }
    }
    expect(built(names(3), 2)).to.equal('((ab)(c.))');
  });

  it('open every leaf, at its own place only', () => {
    for (let count = 1; count <= 9; count++) {
      const depth = treeDepth(count);
      const leaves = names(count);
      const levels = treeLevels(spelled, depth, leaves);
      const root = plainRoot(leaves, depth);
      for (let opened = 0; opened < count; opened++) {
        const path = openPath(spelled, levels, opened);
        for (let claimed = 0; claimed < 2 ** depth; claimed++) {
          const folded = foldPath(spelled, depth, leaves[opened]!, claimed, path);
          expect(folded === root, `leaf ${opened} of ${count} claimed at ${claimed}`).to.equal(claimed === opened);
        }
      }
    }
  });

  it('refuse a path of another length and an index outside, or that is no index', () => {
    const fold = (index: number, path: string[]) => foldPath(spelled, 2, 'a', index, path);
    expect(fold(1, ['b', 'c'])).to.equal('((ba)c)');
    for (const path of [[], ['b'], ['b', 'c', 'd']]) expect(fold(0, path)).to.equal(undefined);
    for (const index of [4, 5, 2 ** 32, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(fold(index, ['b', 'c']), String(index)).to.equal(undefined);
    }
  });

  it('take whole subtrees where these begin', () => {
    for (let count = 1; count <= 16; count++) {
      const leaves = names(count);
      const builder = new PerfectTreeBuilder(spelled, 4);
      for (let at = 0; at < count; ) {
        const level = [3, 2, 1, 0].find((l) => at % 2 ** l === 0 && at + 2 ** l <= count)!;
        builder.append(plainRoot(leaves.slice(at, at + 2 ** level), level), level);
        at += 2 ** level;
      }
      expect(builder.finish(), `${count} leaves`).to.equal(plainRoot(leaves, 4));
    }
    const full = new PerfectTreeBuilder(spelled, 2);
    full.append('(ab)', 1);
    expectAssayError('TREE_FULL', () => full.append('((cd)(ef))', 2));
  });

  it('hold no more than 2^depth leaves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), (depth) => {
        const builder = new PerfectTreeBuilder(spelled, depth);
        for (let i = 0; i < 2 ** depth; i++) builder.append('x');
        expectAssayError('TREE_FULL', () => builder.append('x'));
      }),
      runs(10),
    );
  });

  it('have no proof of a leaf that is not there', () => {
    const levels = treeLevels(spelled, 2, names(3));
    for (const index of [3, 4, -1, 0.5, Number.NaN]) {
      const error = expectAssayError('LEAF_INDEX', () => openPath(spelled, levels, index));
      expect(error.message).to.include('Expected: an index from 0 to 2').and.include(`Received: ${index}`);
    }
  });
});

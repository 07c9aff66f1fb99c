import { expect } from 'chai';
import fc from 'fast-check';
import { Arena } from '../../../protocol/kernels/arena.ts';
import { createKernelMemory, loadKernels } from '../../../protocol/kernels/kernelModule.ts';

describe('kernelModule', () => {
  it('reads every byte it is given and no other', () => {
    const { arena, exports } = loadKernels();
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 9 }), (rows) => {
        const mark = arena.mark();
        const table = arena.pointers(
          rows.map((row) => {
            const pointer = arena.allocate(64);
            arena.bytes(pointer, 64).fill(0xa5).set(row);
            return pointer;
          }),
        );
        const words = rows.flatMap((row) => [...new Int32Array(row.slice().buffer)]);
        expect(exports.readRows(table, rows.length, 32)).to.equal(words.reduce((all, word) => all ^ word, 0));
        arena.release(mark);
      }),
      { numRuns: 50 },
    );
  });

  it('is one memory for every instance', () => {
    const memory = createKernelMemory(4);
    const main = loadKernels(memory);
    const pointer = main.arena.allocate(128);
    const other = loadKernels(memory, { start: main.arena.allocate(256), end: main.arena.mark() });
    main.arena.int32(pointer, 32).fill(0)[7] = 42;
    expect(other.exports.readRows(other.arena.pointers([pointer]), 1, 128)).to.equal(42);
    expect(other.arena.allocate(64)).to.equal(pointer + 128 + 64);
  });

  it('hands out aligned regions that do not overlap, and takes them back', () => {
    const arena = new Arena(createKernelMemory(8), 100, 3000);
    const mark = arena.mark();
    const first = arena.allocate(65);
    const second = arena.allocate(1);
    expect([first % 64, second % 64, second - first]).to.deep.equal([0, 0, 128]);
    expect(() => arena.allocate(3000)).to.throw(/room for 3000 bytes more/);
    arena.release(mark);
    expect(arena.allocate(1)).to.equal(first);
  });

  it('says when the memory is at its maximum', () => {
    const arena = new Arena(createKernelMemory(2));
    expect(arena.allocate(65_536)).to.equal(65_536);
    expect(() => arena.allocate(1)).to.throw(/the memory of the kernels is full[\s\S]*--engine reference/);
  });
});

/**
 * The fast engine: the kernels over one shared memory, in this thread or in worker threads. Blocks are handed to
 * whichever thread has least to do; their results are put in order by `runRound`, so their number changes no bit.
 */
import { PROCESSORS, startThread } from '#threads';
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import { BulkHasher } from '../../commitment/bulkHasher.ts';
import { AssayError } from '../../errors.ts';
import { createKernelMemory, type Kernels, loadKernels } from '../../kernels/kernelModule.ts';
import { BlockMachine, type MachineSetup, machineBytes, type SlotAddresses, viewSlot } from './blockMachine.ts';
import { Crew, type Member } from './crew.ts';
import type {
  BlockAnalysis,
  BlockBuffers,
  BlockComputer,
  BlockWants,
  CombinedBlock,
  CombineWants,
  RoundEngine,
  RoundShape,
} from './roundEngine.ts';
import { placeRoundTotals, SecondPass } from './secondPass.ts';
import type { Region, StartThread } from './thread.ts';

/** Bytes of all rows of a round from which threads pay: several times what handing blocks to them costs. */
const THREADED_BYTES = 2 ** 24;
/** Rows start this much beyond a multiple of the block's length: equal addresses modulo 4096 would share cache sets. */
const ROW_SKEW_BYTES = 192;
/** Their blocks fit the 4 GiB that kernels reach, whatever the rule and the model. */
const MAX_THREADS = 64;
/** Blocks of which a thread always has the next one at hand. */
const SLOTS_PER_THREAD = 2;

export interface WasmEngineOptions {
  /** Threads that compute. Default: one for each processor in rounds that are large enough, else the caller's own. */
  readonly threads?: number;
  /** Starts a thread; another one only to test how the engine takes a thread's death. */
  readonly start?: StartThread;
}

/** @throws AssayError `NO_SIMD`, `ENGINE_THREADS` */
export function createWasmEngine({ threads, start = startThread }: WasmEngineOptions = {}): RoundEngine {
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS)) {
    throw new AssayError('ENGINE_THREADS', {
      summary: 'impossible number of threads',
      expected: `a whole number from 1 to ${MAX_THREADS}`,
      received: String(threads),
    });
  }
  return new WasmEngine(threads ?? Math.min(PROCESSORS, MAX_THREADS), threads === undefined, start);
}

class WasmEngine implements RoundEngine {
  readonly name = 'wasm';
  readonly hasher: BulkHasher;
  readonly threads: number;
  private readonly onlyLarge: boolean;
  private readonly kernels: Kernels;
  private readonly crew: Crew;
  /** One round at a time: its memory is given back as a whole. */
  private free: Promise<void> = Promise.resolve();

  constructor(threads: number, onlyLarge: boolean, start: StartThread) {
    this.threads = threads;
    this.onlyLarge = onlyLarge;
    this.kernels = loadKernels(createKernelMemory());
    this.hasher = new BulkHasher(this.kernels);
    this.crew = new Crew(this.kernels, start);
  }

  async open(shape: RoundShape): Promise<BlockComputer> {
    const turn = this.free;
    const { promise, resolve: giveBack } = Promise.withResolvers<void>();
    this.free = promise;
    await turn;
    const { arena } = this.kernels;
    const mark = arena.mark();
    const release = () => {
      arena.release(mark);
      giveBack();
    };
    try {
      const { layout } = shape.blocks;
      const bytes = shape.rows * layout.chunkCount * layout.chunkSize * 2;
      const threads = this.onlyLarge && bytes < THREADED_BYTES ? 1 : this.threads;
      const useful = Math.min(threads, shape.blocks.count);
      const totals = placeRoundTotals(this.kernels, shape);
      const slots = Array.from({ length: Math.min(SLOTS_PER_THREAD * useful + 1, shape.blocks.count) }, () =>
        this.allocateSlot(shape),
      );
      const setup: MachineSetup = { shape, slots, totals };
      const buffers = slots.map((slot) => viewSlot(this.kernels, shape, slot));
      if (useful === 1) return new OwnThread(new BlockMachine(this.kernels, setup), buffers, release);
      const regions = Array.from({ length: useful }, () => this.allocateRegion(shape));
      const secondPass = new SecondPass(this.kernels, shape, totals);
      return new ManyThreads(this.crew.open(setup, regions), secondPass, buffers, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.crew.end();
  }

  private allocateSlot({ rows, blocks, statePlanes }: RoundShape): SlotAddresses {
    const coordinates = blocks.chunks * blocks.layout.chunkSize;
    const { arena } = this.kernels;
    return {
      rows: Array.from({ length: rows }, () => arena.allocate(2 * coordinates + ROW_SKEW_BYTES)),
      model: arena.allocate(4 * coordinates),
      state: arena.allocate(4 * coordinates * statePlanes),
    };
  }

  private allocateRegion(shape: RoundShape): Region {
    const length = machineBytes(shape);
    const start = this.kernels.arena.allocate(length);
    return { start, end: start + length };
  }
}

/** Everything in the caller's thread. */
class OwnThread implements BlockComputer {
  readonly slots: readonly BlockBuffers[];
  readonly hasThreads = false;
  readonly release: () => void;
  private readonly machine: BlockMachine;

  constructor(machine: BlockMachine, slots: readonly BlockBuffers[], release: () => void) {
    this.machine = machine;
    this.slots = slots;
    this.release = release;
  }

  mixBy(mixing: Mixing | null): void {
    this.machine.mixBy(mixing);
  }

  rowsOf(block: number): readonly boolean[] | null {
    return this.machine.rowsOf(block);
  }

  analyse(slot: number, chunks: number, wants: BlockWants): BlockAnalysis {
    return this.machine.analyse(slot, chunks, wants);
  }

  combine(slot: number, chunks: number, wants: CombineWants): CombinedBlock {
    return this.machine.combine(slot, chunks, wants);
  }
}

/** Each block in the thread that has least to do. */
class ManyThreads implements BlockComputer {
  readonly slots: readonly BlockBuffers[];
  readonly hasThreads = true;
  readonly release: () => void;
  private readonly members: readonly Member[];
  private readonly secondPass: SecondPass;

  constructor(members: readonly Member[], secondPass: SecondPass, slots: readonly BlockBuffers[], release: () => void) {
    this.members = members;
    this.secondPass = secondPass;
    this.slots = slots;
    this.release = release;
  }

  mixBy(mixing: Mixing | null): void {
    this.secondPass.mixBy(mixing);
    for (const member of this.members) member.tell({ verb: 'mixBy', mixing });
  }

  rowsOf(block: number): readonly boolean[] | null {
    return this.secondPass.rowsOf(block);
  }

  analyse(slot: number, chunks: number, wants: BlockWants): Promise<BlockAnalysis> {
    return this.leastBusy().ask({ verb: 'analyse', slot, chunks, wants });
  }

  combine(slot: number, chunks: number, wants: CombineWants): Promise<CombinedBlock> {
    return this.leastBusy().ask({ verb: 'combine', slot, chunks, wants });
  }

  private leastBusy(): Member {
    return this.members.reduce((best, member) => (member.busy < best.busy ? member : best));
  }
}

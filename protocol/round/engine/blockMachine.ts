/**
 * The blocks of a round computed by the kernels, in whichever thread this runs: every thread of the engine has one of
 * these over the same shared memory, and is told which slot to work on.
 */
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import { analyseBlock, combineBlock } from './referenceEngine.ts';
import type {
  BlockAnalysis,
  BlockBuffers,
  BlockWants,
  CombinedBlock,
  CombineWants,
  RoundShape,
} from './roundEngine.ts';

/** Where a slot's vectors are in the shared memory. */
export interface SlotAddresses {
  readonly rows: readonly number[];
  readonly model: number;
  readonly state: number;
}

/** What a thread needs to know of a round. */
export interface MachineSetup {
  readonly shape: RoundShape;
  readonly slots: readonly SlotAddresses[];
}

export class BlockMachine {
  private readonly setup: MachineSetup;
  private readonly buffers: readonly BlockBuffers[];
  private mixing: Mixing | null = null;

  constructor(kernels: Kernels, setup: MachineSetup) {
    this.setup = setup;
    this.buffers = setup.slots.map((slot) => viewSlot(kernels, setup.shape, slot));
  }

  mixBy(mixing: Mixing | null): void {
    this.mixing = mixing;
  }

  analyse(slot: number, chunks: number, wants: BlockWants): BlockAnalysis {
    return analyseBlock(this.setup.shape, this.buffers[slot]!, chunks, wants);
  }

  combine(slot: number, chunks: number, wants: CombineWants): CombinedBlock {
    return combineBlock(this.setup.shape, this.mixing, this.buffers[slot]!, chunks, wants);
  }
}

/** The vectors of a slot, as typed arrays over the shared memory. */
export function viewSlot({ arena }: Kernels, shape: RoundShape, slot: SlotAddresses): BlockBuffers {
  const coordinates = shape.blocks.chunks * shape.blocks.layout.chunkSize;
  return {
    rows: slot.rows.map((address) => arena.int16(address, coordinates)),
    model: arena.int32(slot.model, coordinates),
    state: arena.int32(slot.state, coordinates * shape.statePlanes),
  };
}

/** Memory that a thread needs for itself while a round lasts. */
export function machineBytes(shape: RoundShape): number {
  return 64 * shape.rows;
}

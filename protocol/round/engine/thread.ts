/** What the engine and its threads say to each other. */
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import type { AssayErrorDetails } from '../../errors.ts';
import type { WasmMemory } from '../../kernels/webAssembly.ts';
import type { MachineSetup } from './blockMachine.ts';
import type { BlockAnalysis, BlockWants, CombinedBlock, CombineWants } from './roundEngine.ts';

/** What a thread is born with: the memory that all share, and a part of it that is its own for `MachineSetup`s. */
export interface ThreadSetup {
  readonly memory: WasmMemory;
}

/** Its own part of the memory, for what it needs while a round lasts. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

export type ThreadMessage =
  | { readonly verb: 'open'; readonly setup: MachineSetup; readonly region: Region }
  | { readonly verb: 'mixBy'; readonly mixing: Mixing | null }
  | { readonly verb: 'analyse'; readonly slot: number; readonly chunks: number; readonly wants: BlockWants }
  | { readonly verb: 'combine'; readonly slot: number; readonly chunks: number; readonly wants: CombineWants };

/** One for every `analyse` and `combine`, in their order. */
export type ThreadReply =
  | { readonly value: BlockAnalysis | CombinedBlock }
  | { readonly error: { readonly code: string; readonly details: AssayErrorDetails } };

export interface Thread {
  post(message: ThreadMessage): void;
  /** Whether the process must go on for it. */
  keepAlive(yes: boolean): void;
  end(): Promise<void>;
}

export type StartThread = (
  setup: ThreadSetup,
  onReply: (reply: ThreadReply) => void,
  /** Once, whatever it died of; not after `end`. */
  onDeath: (reason: string) => void,
) => Thread;

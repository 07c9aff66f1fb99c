/**
 * Assay's side of `npm run bench`: a process that holds the rows of one case and measures what it is told to
 * (bench/child.ts).
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseRule, type RuleOptions } from '../protocol/aggregation/rule.ts';
import { FED_AVG } from '../protocol/aggregation/serverStep.ts';
import { DEFAULT_MODEL_FRACTION_BITS, DEFAULT_UPDATE_FRACTION_BITS } from '../protocol/encoding/fixedPoint.ts';
import { DEFAULT_CHUNK_SIZE } from '../protocol/encoding/layout.ts';
import { bytesOf } from '../protocol/encoding/vectors.ts';
import { HASH_BYTES, HashKernel } from '../protocol/kernels/sha256.ts';
import type { RoundEngine } from '../protocol/round/engine/roundEngine.ts';
import { createWasmEngine } from '../protocol/round/engine/wasmEngine.ts';
import { readMemory, runRoundInMemory } from '../protocol/round/memoryRound.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../protocol/round/parameters.ts';
import type { ReadRange, RoundContext } from '../protocol/round/roundIo.ts';
import { runRound } from '../protocol/round/runRound.ts';
import type { Measured } from './child.ts';
import { applyRule, RowMemory } from './kernelRule.ts';
import { markMemory } from './memoryMark.ts';
import { applyReferenceRule } from './referenceRule.ts';
import { rowBytes } from './rowsFile.ts';

export interface LoadTask {
  readonly do: 'load';
  readonly file: string;
  readonly n: number;
  readonly dimension: number;
  /** Whether the rows are to be in memory; else they stay in the file. */
  readonly inMemory: boolean;
}

export interface RunTask {
  readonly do: 'run';
  /**
   * floor: one SIMD read of the rows. rule: by the kernels, from rows to the next model. reference: the same in plain
   * TypeScript. gram: the exact Gram matrix. tree: the rows hashed into their trees, without norms. flat: one SHA-256
   * of each row. round: everything an auditor computes, from memory. stream: the same from the file, the model written
   * to `output`.
   */
  readonly what: 'floor' | 'rule' | 'reference' | 'gram' | 'tree' | 'flat' | 'round' | 'stream';
  readonly rule?: string;
  readonly byzantine?: number;
  readonly options?: Omit<RuleOptions, 'radius'> & { readonly radius?: number };
  /** Of the engine, for `round` and `stream`. */
  readonly threads?: number;
  /** Whether a round also commits to the updates. */
  readonly commit?: boolean;
  /** How many coordinates of the aggregate (float units) are wanted back. */
  readonly sample?: number;
  readonly output?: string;
}

/** What a task does when its turn is timed, and what it has to show. */
interface Prepared {
  readonly run: () => void | Promise<void>;
  readonly result?: () => unknown;
}

class Bench {
  private readonly load: LoadTask;
  private readonly memory: RowMemory | null;
  private readonly engines = new Map<number, RoundEngine>();
  private payloads: Uint8Array[] | null = null;

  constructor(load: LoadTask) {
    this.load = load;
    this.memory = load.inMemory ? new RowMemory(load.n, load.dimension) : null;
    const file = openSync(load.file, 'r');
    for (let i = 0; this.memory !== null && i < load.n; i++) {
      const row = this.memory.row(i).subarray(0, rowBytes(load.dimension) / 2);
      readSync(file, bytesOf(row), 0, row.byteLength, i * row.byteLength);
    }
    closeSync(file);
  }

  async run(task: RunTask): Promise<Measured> {
    const { run, result } = await this.prepare(task);
    const memory = markMemory();
    const started = performance.now();
    await run();
    const seconds = (performance.now() - started) / 1000;
    return { seconds, ...memory(), ...(result === undefined ? {} : { result: result() }) };
  }

  private async prepare(task: RunTask): Promise<Prepared> {
    if (task.what === 'stream') return this.stream(task);
    if (task.what === 'round') return this.round(task);
    if (task.what === 'reference') return this.reference(task);
    const memory = this.memory!;
    if (task.what === 'rule') {
      memory.model().fill(0);
      return {
        run: () => void applyRule(memory, this.parameters(task), this.context()),
        result: () => aggregateOf(memory.model(), task.sample),
      };
    }
    if (task.what === 'tree') return this.tree(memory);
    if (task.what === 'flat') {
      const rows = this.inMemory();
      return { run: () => rows.forEach((row) => void createHash('sha256').update(row).digest()) };
    }
    if (task.what === 'gram') return { run: () => void memory.gram() };
    return { run: () => memory.readOnce() };
  }

  /** Leaves and inner nodes of a tree over every row, as a model's are hashed. */
  private tree({ kernels, n, addressOf }: RowMemory): Prepared {
    const leafBytes = 2 * DEFAULT_CHUNK_SIZE;
    const leaves = rowBytes(this.load.dimension) / leafBytes;
    const levels = Math.ceil(Math.log2(leaves));
    const mark = kernels.arena.mark();
    const hash = new HashKernel(kernels);
    const hashes = kernels.arena.allocate(HASH_BYTES * 2 ** levels);
    const memory = this.memory!;
    return {
      run: () => {
        for (let i = 0; i < n; i++) {
          hash.modelLeaves(addressOf.call(memory, i), leafBytes, leaves, hashes);
          kernels.arena.bytes(hashes + HASH_BYTES * leaves, HASH_BYTES * (2 ** levels - leaves)).fill(0);
          hash.joinModelNodes(hashes, 2 ** levels, levels);
        }
      },
      result: () => {
        kernels.arena.release(mark);
        return null;
      },
    };
  }

  private reference(task: RunTask): Prepared {
    const rows = this.inMemory().map((bytes) => new Int16Array(bytes.buffer));
    const model = new Int32Array(rows[0]!.length);
    return {
      run: () => void applyReferenceRule(rows, model, this.parameters(task), this.context()),
      result: () => aggregateOf(model, task.sample),
    };
  }

  private async round(task: RunTask): Promise<Prepared> {
    const rows = this.inMemory();
    const model = new Uint8Array(2 * rows[0]!.length);
    const engine = this.engine(task.threads ?? 1);
    let root = '';
    return {
      run: async () => {
        const round = { rows, model };
        const options = { commitUpdates: task.commit ?? true };
        const result = await runRoundInMemory(engine, this.parameters(task), this.context(), round, options);
        root = result.roots.modelRoot;
      },
      result: () => root,
    };
  }

  private stream(task: RunTask): Prepared {
    const { file, n, dimension } = this.load;
    const bytes = rowBytes(dimension);
    const zeros: ReadRange = (_, into) => void into.fill(0);
    let root = '';
    // A round writes a new file. Cutting the last turn's and flushing it, as ext4 does with a file that was cut, is none of
    // its work.
    rmSync(task.output!, { force: true });
    return {
      run: async () => {
        const rows = openSync(file, 'r');
        const output = openSync(task.output!, 'w');
        const io = {
          rows: Array.from(
            { length: n },
            (_, i): ReadRange =>
              (offset, into) => {
                const read = readSync(rows, into, 0, into.length, i * bytes + offset);
                if (read !== into.length) throw new Error(`${read} bytes of row ${i} instead of ${into.length}`);
              },
          ),
          rowFiles: Array.from({ length: n }, (_, i) => ({ descriptor: rows, byteOffset: i * bytes })),
          model: zeros,
          state: null,
          previousModel: null,
          writeModel: (part: Uint8Array) => void writeSync(output, part),
        };
        try {
          const options = { commitUpdates: task.commit ?? false };
          const engine = this.engine(task.threads ?? 1);
          root = (await runRound(engine, this.parameters(task), this.context(), io, options)).roots.modelRoot;
        } finally {
          closeSync(rows);
          closeSync(output);
        }
      },
      result: () => root,
    };
  }

  /** The rows in memory of their own, as bytes. */
  private inMemory(): Uint8Array[] {
    const length = rowBytes(this.load.dimension);
    this.payloads ??= Array.from({ length: this.load.n }, (_, i) => {
      const bytes = new Uint8Array(length);
      readMemory(bytesOf(this.memory!.row(i)).subarray(0, length))(0, bytes);
      return bytes;
    });
    return this.payloads;
  }

  private engine(threads: number): RoundEngine {
    const engine = this.engines.get(threads) ?? createWasmEngine({ threads });
    this.engines.set(threads, engine);
    return engine;
  }

  private parameters({ rule = 'fedavg', byzantine = 0, options = {} }: RunTask): LearningParameters {
    const { radius, ...others } = options;
    return {
      dimension: this.load.dimension,
      chunkSize: DEFAULT_CHUNK_SIZE,
      modelFractionBits: DEFAULT_MODEL_FRACTION_BITS,
      updateFractionBits: DEFAULT_UPDATE_FRACTION_BITS,
      normSqBound: NO_NORM_BOUND,
      rule: parseRule(rule, byzantine, { ...others, ...(radius === undefined ? {} : { radius: BigInt(radius) }) }),
      serverStep: FED_AVG,
    };
  }

  private context(): RoundContext {
    return { indices: Array.from({ length: this.load.n }, (_, i) => i), seed: `0x${'5e'.repeat(32)}` };
  }
}

/** The model moved from zero by the aggregate: its first coordinates in float units. */
function aggregateOf(model: Int32Array, sample = 0): number[] {
  return Array.from(model.subarray(0, sample), (value) => value * 2 ** -DEFAULT_MODEL_FRACTION_BITS);
}

let bench: Bench | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line) as LoadTask | RunTask;
  let answer: unknown = {};
  try {
    if (task.do === 'load') bench = new Bench(task);
    else answer = await bench!.run(task);
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();

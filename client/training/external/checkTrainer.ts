import type { AssayError } from '../../../protocol/errors.ts';
import { createRandom } from '../../random.ts';
import type { LocalMemory, TrainResult, TrainTask } from '../trainer.ts';
import { ExternalTrainer, type ExternalTrainerOptions, type TrainerMode } from './externalTrainer.ts';

/** One thing a trainer must or should do. */
export interface CheckRow {
  readonly name: string;
  /** `warning`: it may be used, and somebody should know. */
  readonly outcome: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly seconds: number;
}

/** Rounds of which the second and later ones bring memory and a previous model along. */
const ROUNDS = 3;

/**
 * Puts a trainer through what a federation will ask of it, both ways it may be started, and says what it did. Nothing of
 * it touches a chain.
 *
 * @param onRow told each row as soon as it is known
 */
export async function checkTrainer(
  options: Omit<ExternalTrainerOptions, 'mode'>,
  onRow: (row: CheckRow) => void = () => undefined,
): Promise<readonly CheckRow[]> {
  const rows: CheckRow[] = [];
  const add = (row: CheckRow): void => {
    rows.push(row);
    onRow(row);
  };
  /** One row of what `work` does; undefined when it failed. */
  const row = async <Value>(
    name: string,
    work: () => Promise<{ value: Value; detail: string; outcome?: CheckRow['outcome'] }>,
  ): Promise<Value | undefined> => {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const { value, detail, outcome = 'ok' } = await work();
      add({ name, outcome, detail, seconds: seconds() });
      return value;
    } catch (error) {
      add({ name, outcome: 'failed', detail: (error as Error).message, seconds: seconds() });
      return undefined;
    }
  };

  const modes = await findModes(options, add);
  if (modes.length === 0) return rows;
  const trainer = new ExternalTrainer({ ...options, mode: modes[0]! });
  try {
    const initial = await row('init', async () => {
      const value = await trainer.init('check');
      const constant = value.every((weight) => weight === value[0]);
      return {
        value,
        detail: `${value.length} weights in ${options.manifest.tensors.length} tensors, all finite${constant ? ', all the same: a network cannot learn from that' : ''}`,
        outcome: constant ? 'warning' : 'ok',
      };
    });
    if (initial !== undefined) await row('init again', async () => same(initial, await trainer.init('check')));
    // One that cannot begin may still be able to go on: the rest is worth knowing.
    const random = createRandom('check');
    const start = initial ?? Float32Array.from({ length: trainer.dimension }, () => 0.2 * random.nextFloat() - 0.1);

    const seen = { progress: 0 };
    const task = { weights: start, round: 1, seed: 'check' };
    const trained = await row('train', async () => {
      const value = await trainer.train({ ...task, onProgress: () => seen.progress++ });
      return judgeTraining(value, start, options, seen.progress);
    });
    if (trained !== undefined) {
      await row('train again', async () => same(trained.weights, (await trainer.train(task)).weights));
      await row('unknown algorithm', () => refusesUnknown({ ...options, mode: modes[0]! }, task));
      for (const mode of modes.slice(1)) {
        await row(`train, ${MODES[mode]}`, async () => {
          const other = new ExternalTrainer({ ...options, mode });
          try {
            return same(trained.weights, (await other.train(task)).weights);
          } finally {
            await other.close();
          }
        });
      }
    }
    const before = await row('evaluate', async () => {
      const value = await trainer.evaluate({ weights: start });
      const asked = options.test?.size;
      const { outcome, remark } = countRemark(value.samples, asked);
      return {
        value,
        detail: `loss ${value.loss.toFixed(4)}, accuracy ${percent(value.accuracy)}, ${remark}`,
        outcome,
      };
    });
    if (trained !== undefined && before !== undefined) {
      await row('rounds', async () => {
        let weights = trained.weights;
        let previousWeights: Float32Array = start;
        let memory: LocalMemory = trained.memory;
        for (let round = 2; round <= ROUNDS; round++) {
          const next: TrainResult = await trainer.train({ weights, previousWeights, memory, round, seed: 'check' });
          previousWeights = weights;
          weights = next.weights;
          memory = next.memory;
        }
        const after = await trainer.evaluate({ weights, memory });
        const detail = `${ROUNDS} rounds take the loss from ${before.loss.toFixed(4)} to ${after.loss.toFixed(4)}`;
        const learns = after.loss < before.loss;
        return learns
          ? { value: after, detail }
          : { value: after, detail: `${detail}: it does not learn`, outcome: 'warning' };
      });
    }
  } finally {
    await trainer.close();
  }
  return rows;
}

const MODES: Readonly<Record<TrainerMode, string>> = {
  auto: 'auto',
  persistent: 'persistent',
  folder: 'in a folder',
};

/** The ways the command can be started, the persistent one first. One is enough. */
async function findModes(
  options: Omit<ExternalTrainerOptions, 'mode'>,
  add: (row: CheckRow) => void,
): Promise<TrainerMode[]> {
  const found: TrainerMode[] = [];
  const failures: { readonly row: CheckRow; readonly short: string }[] = [];
  for (const mode of ['persistent', 'folder'] as const) {
    const started = performance.now();
    const trainer = new ExternalTrainer({ ...options, mode, onLog: () => undefined });
    const settle = (outcome: CheckRow['outcome'], detail: string): CheckRow => ({
      name: MODES[mode],
      outcome,
      detail,
      seconds: (performance.now() - started) / 1000,
    });
    try {
      await trainer.init('start');
      found.push(mode);
      add(settle('ok', mode === 'persistent' ? 'starts, says hello, answers' : 'starts, answers, ends'));
    } catch (error) {
      // Whoever answered, if only with a refusal, can be started that way.
      const answered = ['TRAINER_RESULT', 'WEIGHTS_NOT_FINITE'].includes((error as AssayError).code);
      if (answered) {
        found.push(mode);
        add(settle('ok', 'starts and answers'));
      } else {
        const short = `cannot be started that way (${(error as AssayError).details?.received?.split('\n')[0] ?? error})`;
        failures.push({ row: settle('failed', (error as Error).message), short });
      }
    } finally {
      await trainer.close();
    }
  }
  // One way is enough; that the other is missing matters little.
  for (const { row, short } of failures) add(found.length > 0 ? { ...row, outcome: 'warning', detail: short } : row);
  return found;
}

/** Whoever ignores the federation's algorithm trains something else, and nobody would notice. */
async function refusesUnknown(options: ExternalTrainerOptions, task: TrainTask) {
  const training = { ...options.manifest.training, algorithm: { kind: 'no-such-algorithm' } };
  const trainer = new ExternalTrainer({ ...options, manifest: { ...options.manifest, training: training as never } });
  try {
    await trainer.train(task);
  } catch (error) {
    if ((error as AssayError).code !== 'TRAINER_FAILED') throw error;
    return { value: true, detail: 'refused' };
  } finally {
    await trainer.close();
  }
  const detail = 'it trains under an algorithm that does not exist, so it ignores the one of the federation';
  return { value: false, detail, outcome: 'warning' as const };
}

function same(first: Float32Array, second: Float32Array) {
  const moved = first.reduce((count, weight, i) => count + (Object.is(weight, second[i]) ? 0 : 1), 0);
  return moved === 0
    ? { value: true, detail: 'the same bits for the same seed' }
    : {
        value: false,
        detail: `not reproducible: ${moved} of ${first.length} weights differ for the same seed`,
        outcome: 'warning' as const,
      };
}

function judgeTraining(
  value: TrainResult,
  start: Float32Array,
  { train }: Pick<ExternalTrainerOptions, 'train'>,
  progress: number,
) {
  const moved = value.weights.reduce((sum, weight, i) => sum + (weight - start[i]!) ** 2, 0);
  const { outcome, remark } = countRemark(value.samples, train?.size);
  const remarks = [
    `loss ${value.loss.toFixed(4)}, accuracy ${percent(value.accuracy)}, ${value.steps} steps`,
    remark,
    `the model moved by ${Math.sqrt(moved).toPrecision(3)}`,
  ];
  if (moved === 0) remarks.push('it trains nothing');
  if (progress === 0) remarks.push('no progress reports: a long training will look like a hanging one');
  return { value, detail: remarks.join(', '), outcome: moved === 0 || progress === 0 ? ('warning' as const) : outcome };
}

function countRemark(samples: number, asked: number | undefined) {
  if (asked === undefined || samples === asked) return { outcome: 'ok' as const, remark: `${samples} samples` };
  return { outcome: 'warning' as const, remark: `${samples} samples, though there are ${asked}` };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

import { AssayError } from '../../../protocol/errors.ts';
import type { AnyDataset } from '../../datasets/text/textDataset.ts';
import type { Model } from '../../models/model.ts';
import { loadModelFile, type ModelFile } from '../../models/modelFile.ts';
import { describeModel } from '../../models/registry.ts';
import type { SeedPart } from '../../random.ts';
import { localSteps } from '../algorithms/localSteps.ts';
import { startLocalRound } from '../algorithms/startLocalRound.ts';
import { checkDataset } from '../checkDataset.ts';
import { checkModel } from '../checkModel.ts';
import { chooseEngine } from '../chooseEngine.ts';
import { HEAD, type ModelParts, modelParts } from '../modelParts.ts';
import { fusedOptimizer } from '../optimizers/fusedOptimizer.ts';
import { tfjsNodeKit } from '../tfjsNode/kit.ts';
import type { Evaluation, LocalMemory, TrainingManifest, TrainResult, TrainTask } from '../trainer.ts';
import { ENGINE, loadTensorFlow } from './backend.ts';
import { type EngineKit, type LocalRun, type LocalTraining, localTraining } from './localTraining.ts';
import { fusedOps } from './ops/fusedOps.ts';

/**
 * Training in the calling thread, on any data set of the manifest's shape. `createTrainer` runs it in a worker; a
 * simulation calls it directly.
 */
export interface Engine {
  readonly model: Model;
  readonly parts: ModelParts;
  /** For training that is no round: personal models. */
  readonly local: LocalTraining;
  /** Federated weights `[d]` to start from. */
  init(seed: SeedPart): Float32Array;
  train(dataset: AnyDataset, task: TrainTask): TrainResult;
  /**
   * @param weights federated
   * @param memory with the own head, where it stays at home
   * @throws AssayError NO_HEAD without it
   */
  evaluate(dataset: AnyDataset, weights: Float32Array, memory?: LocalMemory | null): Evaluation;
}

/** What a manifest leaves to be brought along. */
export interface ModelMaterial {
  /** The file of a model of kind `file`. */
  readonly modelFile?: ModelFile;
  /** Values of the model's frozen tensors, one after the other. */
  readonly frozen?: Float32Array;
}

/**
 * The engine of TF.js for a manifest.
 *
 * @throws AssayError ENGINE_MISMATCH, ENGINE_UNAVAILABLE, TRAINER_MISSING, MODEL_TENSORS, MODEL_TASK, MODEL_DATA,
 *   MODEL_UNKNOWN, MODEL_SETTINGS, MODEL_FILE
 */
export async function createEngine(manifest: TrainingManifest, material: ModelMaterial = {}): Promise<Engine> {
  const { kind } = chooseEngine(manifest.engine);
  if (material.modelFile !== undefined) await loadModelFile(material.modelFile);
  return engineOf(kind === 'tfjs-node' ? tfjsNodeKit() : await embeddedKit(), manifest, material);
}

/** TF.js on its WASM backend with the kernels of our own. */
export async function embeddedKit(): Promise<EngineKit> {
  const tf = await loadTensorFlow();
  return {
    name: ENGINE,
    compute: { tf, ops: fusedOps(tf) },
    createOptimizer: (settings) => fusedOptimizer(tf, settings),
  };
}

/**
 * An engine over any backend of TF.js. Same task, same bits: initial weights, order and batches come from the seed, and
 * all sums run in one thread in one order.
 *
 * @throws AssayError as `createEngine`, but for the engine's name, which is the caller's matter, and MODEL_FILE when the
 *   model is a file that this thread has not loaded
 */
export function engineOf(kit: EngineKit, manifest: TrainingManifest, { frozen }: ModelMaterial = {}): Engine {
  const model = describeModel(manifest.model);
  checkModel(model, manifest);
  const parts = modelParts(model, manifest);
  const local = localTraining(kit, model, frozen ?? null);
  const { training } = manifest;

  return {
    model,
    parts,
    local,

    init: (seed) => parts.initialise('federated', seed),

    train(dataset, task) {
      const started = performance.now();
      checkDataset(dataset, manifest);
      const { weights, round, seed, memory, previousWeights = null, serverLearningRate = 1, onProgress } = task;
      const steps = localSteps(training, task.localSteps, local.batchesPerEpoch(dataset, training.batchSize));
      const algorithm = startLocalRound(training.algorithm, {
        weights,
        previousWeights,
        serverLearningRate,
        memory: memory ?? {},
        steps,
        training,
      });
      const { drift, proximal, lookahead } = algorithm;
      const common: Omit<LocalRun, 'weights' | 'seed'> = {
        steps,
        settings: training,
        ...(drift && { drift: parts.byName(drift) }),
        ...(proximal && { pull: { strength: proximal, anchor: parts.byName(weights) } }),
        ...(lookahead && { lookahead }),
        ...(onProgress && { onProgress }),
      };
      let start = parts.join(weights, parts.ownHead(memory, seed));
      let moving: ReadonlySet<string> | undefined;
      if (training.personal?.kind === 'fedrep') {
        // Collins et al. 2021, algorithm 1: first the own head on the body that came, then the body under that head.
        const headOnly = new Set(parts.head.map(({ name }) => name));
        const run = { steps, settings: training, moving: headOnly };
        start = local.run(dataset, { ...run, weights: start, seed: [seed, 'shuffle head', round] }).weights;
        moving = new Set(parts.federated.map(({ name }) => name));
      }
      const trained = local.run(dataset, {
        ...common,
        weights: start,
        seed: [seed, 'shuffle', round],
        ...(moving && { moving }),
      });
      const federated = parts.federatedOf(trained.weights);
      const finished = algorithm.finish?.(federated) ?? { weights: federated, memory: {} };
      return {
        weights: finished.weights,
        memory:
          parts.head.length === 0 ? finished.memory : { ...finished.memory, [HEAD]: parts.headOf(trained.weights) },
        samples: dataset.size,
        steps,
        loss: trained.loss,
        accuracy: trained.accuracy,
        seconds: (performance.now() - started) / 1000,
      };
    },

    evaluate(dataset, weights, memory) {
      checkDataset(dataset, manifest);
      const head = parts.head.length === 0 ? new Float32Array(0) : memory?.[HEAD];
      if (head === undefined) {
        throw new AssayError('NO_HEAD', {
          summary: 'without a head this model predicts nothing: every participant keeps its own',
          expected: `the head of a participant (${parts.head.map(({ name }) => name).join(', ')})`,
          received: 'the weights that are trained jointly',
          fix: 'measure with the memory of a participant that took part in a round',
        });
      }
      return local.evaluate(dataset, parts.join(weights, head));
    },
  };
}

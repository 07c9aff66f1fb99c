/** What a cell's settings mean for the protocol and the trainer: the same objects that a real federation is made of. */
import { minimumUpdates, parseRule, type Rule } from '../../protocol/aggregation/rule.ts';
import { checkServerStep, Q16, type ServerStep } from '../../protocol/aggregation/serverStep.ts';
import { DEFAULT_MODEL_FRACTION_BITS, DEFAULT_UPDATE_FRACTION_BITS } from '../../protocol/encoding/fixedPoint.ts';
import { DEFAULT_CHUNK_SIZE } from '../../protocol/encoding/layout.ts';
import {
  checkManifest,
  type SampleData,
  type TextData,
  type TrainingSettings,
} from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { isLone } from '../attacks/attack.ts';
import { parseAttack } from '../attacks/registry.ts';
import { parseDataset } from '../datasets/loadSilo.ts';
import { describeModel } from '../models/registry.ts';
import { algorithmFields, keepsHead } from '../training/algorithms/algorithmChoice.ts';
import { checkAlgorithmServer } from '../training/algorithms/checkServerStep.ts';
import { localSteps } from '../training/algorithms/localSteps.ts';
import { ENGINE } from '../training/tfjs/backend.ts';
import type { TrainingManifest } from '../training/trainer.ts';
import { normSqBoundOf } from '../update/clipUpdate.ts';
import type { Cell } from './cell.ts';
import { cellTask, chosenModel, isTextDataset, standInData } from './modelChoice.ts';

/** The cell's rule; f is the cell's number of attackers. */
function cellRule({ rule: { name, clipRadius, ...options }, byzantine }: Cell): Rule {
  return parseRule(name, byzantine, {
    ...options,
    ...(clipRadius === undefined ? {} : { radius: BigInt(Math.round(clipRadius * 2 ** DEFAULT_UPDATE_FRACTION_BITS)) }),
  });
}

function cellServerStep({ server }: Cell): ServerStep {
  const step: ServerStep = {
    optimizer: server.optimizer,
    learningRateQ16: Math.round(server.learningRate * Q16),
    momentumQ16: Math.round(server.momentum * Q16),
    secondMomentQ16: Math.round(server.secondMoment * Q16),
    adaptivity: Math.round((server.adaptivity ?? 0) * 2 ** DEFAULT_MODEL_FRACTION_BITS),
  };
  checkServerStep(step);
  return step;
}

/** @param dimension d of the model */
export function cellParameters(cell: Cell, dimension: number): LearningParameters {
  return {
    dimension,
    chunkSize: DEFAULT_CHUNK_SIZE,
    modelFractionBits: DEFAULT_MODEL_FRACTION_BITS,
    updateFractionBits: DEFAULT_UPDATE_FRACTION_BITS,
    normSqBound: cell.normBound === null ? NO_NORM_BOUND : normSqBoundOf(cell.normBound, DEFAULT_UPDATE_FRACTION_BITS),
    rule: cellRule(cell),
    serverStep: cellServerStep(cell),
  };
}

/** The manifest that the trainer works by, for data of that shape. */
export function cellManifest(cell: Cell, data: SampleData | TextData): TrainingManifest {
  const spec = chosenModel(cell, data);
  const model = describeModel(spec);
  const training = cellTraining(cell);
  const atHome = new Set(training.personal === undefined ? [] : model.head);
  const federated = model.tensors.filter(({ name }) => !atHome.has(name));
  return {
    task: model.task,
    model: { ...spec },
    tensors: federated.map(({ name, shape }) => ({ name, shape: [...shape] })),
    training,
    // A data set is handed over whole; the manifest has its shape.
    data: 'tokenizer' in data ? data : { features: data.features, classes: data.classes },
    engine: ENGINE,
  };
}

/** The part of the manifest that a cell's `training` and `algorithm` say. */
export function cellTraining({ training, algorithm }: Pick<Cell, 'training' | 'algorithm'>): TrainingSettings {
  const { localEpochs, localSteps, batchSize, learningRate, momentum, maxGradientNorm, optimizer = 'sgd' } = training;
  return {
    ...(localEpochs !== undefined && { localEpochs }),
    ...(localSteps !== undefined && { localSteps }),
    batchSize,
    learningRate,
    optimizer,
    ...(optimizer === 'sgd' && { momentum }),
    ...(maxGradientNorm !== undefined && { maxGradientNorm }),
    ...algorithmFields(algorithm),
  };
}

type Refuse = (summary: string, expected: string, received: string) => AssayError;

/** @throws AssayError `GRID`, `RULE_NAME`, `RULE_PARAMETERS` or `SERVER_STEP` for a cell that no round could run with. */
export function checkCell(cell: Cell, source: string): void {
  const { participants, byzantine, perRound } = cell;
  const refuse: Refuse = (summary, expected, received) =>
    new AssayError('GRID', { summary: `the grid ${source}: ${summary}`, expected, received });
  if (byzantine >= participants) {
    throw refuse('nobody would be honest', `byzantine below participants (${participants})`, String(byzantine));
  }
  if (byzantine === 0 && cell.attack !== null) {
    throw refuse(`nobody is there to attack with ${cell.attack}`, 'byzantine of 1 or more, or the attack "none"', '0');
  }
  const present = perRound ?? participants;
  if (present > participants) {
    throw refuse('more take part in a round than there are', `perRound up to ${participants}`, String(present));
  }
  const least = minimumUpdates(cellRule(cell));
  if (present < least || present > 100) {
    throw refuse(
      `${cell.rule.name} with f = ${byzantine} is not defined for that many updates`,
      `${least} to 100 in a round (perRound, else participants)`,
      String(present),
    );
  }
  if (cell.view === 'lone' && cell.attack !== null && !isLone(parseAttack(cell.attack))) {
    throw refuse(
      `${cell.attack} needs updates that a real node never sees in time`,
      '"view": "omniscient" in the grid file, or another attack',
      '"view": "lone"',
    );
  }
  const { reference } = cell.rule;
  if (reference !== undefined && reference >= participants) {
    throw refuse(
      `${cell.rule.name} starts from a participant that there is not`,
      `reference from 0 to ${participants - 1}`,
      String(reference),
    );
  }
  cellServerStep(cell);
  checkData(cell, refuse);
  checkTraining(cell, refuse);
}

/** Whether data, their division, the model and the attack go together. */
function checkData(cell: Cell, refuse: Refuse): void {
  const { dataset, model, alpha, attack, tokenizer } = cell;
  const isText = isTextDataset(dataset);
  if (isText !== (cellTask(cell) === 'language-model')) {
    throw refuse(
      `${dataset} is not what its model learns from`,
      isText
        ? 'a language model: code-transformer, char-lstm, or one of kind transformer or lstm'
        : 'a model of samples',
      JSON.stringify(model),
    );
  }
  if (!isText) {
    if (tokenizer !== undefined) throw refuse('samples have no tokens', 'no "tokenizer"', JSON.stringify(tokenizer));
    if (alpha !== 'natural') return;
    throw refuse('samples come from nobody, so nothing divides them by itself', 'a concentration, or iid', alpha);
  }
  if (tokenizer !== undefined && !isTextDataset(tokenizer.dataset)) {
    throw refuse(
      'a tokeniser learns from text',
      '"dataset" of the tokenizer: package:... or text:...',
      tokenizer.dataset,
    );
  }
  if (attack !== null && parseAttack(attack).corruptDataset !== undefined) {
    throw refuse(
      `${attack} changes labels or pictures, and text has neither`,
      'an attack that changes the update, such as signFlipping',
      attack,
    );
  }
  const spec = parseDataset(dataset);
  const silos = cell.attackersHoldData ? cell.participants : cell.participants - cell.byzantine;
  if (alpha === 'natural' && spec.kind === 'package' && spec.packages.length < silos) {
    throw refuse(
      'every participant has a package of its own, and there are too few',
      `${silos} packages, fewer participants, or a division by a concentration or iid`,
      `${spec.packages.length} packages`,
    );
  }
}

/** What the training of a cell demands, without its data. */
function checkTraining(cell: Cell, refuse: Refuse): void {
  const { algorithm, heldOutPerParticipant, personalisation, server } = cell;
  const manifest = cellManifest(cell, standInData(cell));
  if (manifest.tensors.length === 0) {
    throw refuse(
      'nothing would be trained jointly',
      'a model with more than its head',
      `${algorithm?.kind} of one layer`,
    );
  }
  const { training } = checkManifest({ format: 'assay-manifest/1', name: 'cell', ...manifest });
  checkAlgorithmServer(training, server.optimizer);
  for (const steps of cell.training.deviceSteps ?? []) localSteps(training, steps, 1);
  if (heldOutPerParticipant === undefined && (personalisation !== undefined || keepsHead(algorithm))) {
    throw refuse(
      'what is personal is measured on samples of each participant, and none are held out',
      '"heldOutPerParticipant": a share between 0 and 1',
      'no heldOutPerParticipant',
    );
  }
}

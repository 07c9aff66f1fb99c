/**
 * What a model is judged by: one number per task, and which way is better. Every engine measures loss and accuracy, but the
 * accuracy of a generator says little: an autoencoder gets most pixels of a digit right before it draws any.
 */
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { Evaluation } from './trainer.ts';

export interface Measure {
  readonly name: 'accuracy' | 'perplexity' | 'ELBO';
  /** For a heading: its unit, and which way is better where the name leaves that open. */
  readonly title: string;
  /** What it is measured on, held out. */
  readonly heldOut: 'samples' | 'files' | 'images';
  readonly better: 'higher' | 'lower';
  /** Of a model that predicts nothing any more: its loss is no number. */
  readonly worst: number;
  of(evaluation: Pick<Evaluation, 'loss' | 'accuracy'>): number;
  format(value: number): string;
}

const accuracy: Measure = {
  name: 'accuracy',
  title: 'Accuracy',
  heldOut: 'samples',
  better: 'higher',
  worst: 0,
  of: (evaluation) => evaluation.accuracy,
  format: (value) => value.toFixed(4),
};

/** exp of the mean loss per token: of how many equally likely tokens the next one is, as the model sees it. */
const perplexity: Measure = {
  name: 'perplexity',
  title: 'Perplexity (per token; lower is better)',
  heldOut: 'files',
  better: 'lower',
  worst: Number.POSITIVE_INFINITY,
  of: ({ loss }) => (Number.isFinite(loss) ? Math.exp(loss) : Number.POSITIVE_INFINITY),
  format: (value) => (value < 100_000 ? value.toFixed(2) : finite(value, value.toExponential(1))),
};

const elbo: Measure = {
  name: 'ELBO',
  title: 'Evidence lower bound (nats per image; higher is better)',
  heldOut: 'images',
  better: 'higher',
  worst: Number.NEGATIVE_INFINITY,
  of: ({ loss }) => (Number.isFinite(loss) ? -loss : Number.NEGATIVE_INFINITY),
  format: (value) => (value > -100_000 ? value.toFixed(1) : finite(value, value.toExponential(1))),
};

const MEASURES: Readonly<Record<Manifest['task'], Measure>> = {
  classification: accuracy,
  'language-model': perplexity,
  'image-generation': elbo,
};

export function measureOf(task: Manifest['task']): Measure {
  return MEASURES[task];
}

/** A value as JSON has it, which knows numbers only: null for a model whose loss is none. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The worse of two values of a measure. */
export function worse({ better }: Measure, a: number, b: number): number {
  return better === 'higher' ? Math.min(a, b) : Math.max(a, b);
}

function finite(value: number, shown: string): string {
  return Number.isFinite(value) ? shown : value > 0 ? 'inf' : '-inf';
}

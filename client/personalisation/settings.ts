/**
 * How a participant makes the model its own. What is personal never leaves it: the federation is the same whether its
 * participants personalise or not, but for the heads that `training.personal` of the manifest keeps at home.
 */
import { z } from 'zod';
import type { TrainingSettings } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { splitNamedSettings } from '../training/namedSettings.ts';

export const PERSONALISATIONS = ['fine-tuning', 'ditto', 'fedper', 'fedrep', 'per-fedavg', 'reptile'] as const;

export const personalisationSchema = z.strictObject({
  method: z.enum(PERSONALISATIONS),
  /** Passes over the own data. */
  epochs: z.int().min(1).max(10_000).default(1),
  /** Default: the manifest's, or, of per-fedavg, the inner one. */
  learningRate: z.number().positive().optional(),
  /** lambda of ditto: how strongly the personal model is held to the federation's. */
  strength: z.number().positive().default(0.1),
});

export type Personalisation = Readonly<z.output<typeof personalisationSchema>>;

/**
 * Parses `METHOD` or `METHOD?epochs=2&learningRate=0.01&strength=0.5`.
 *
 * @throws AssayError PERSONALISATION
 *
 * @example
 * parsePersonalisation('ditto?strength=0.5'); // { method: 'ditto', epochs: 1, strength: 0.5 }
 */
export function parsePersonalisation(text: string): Personalisation {
  const [method, settings] = splitNamedSettings(text);
  const parsed = personalisationSchema.safeParse({ method, ...settings });
  if (parsed.success) return parsed.data;
  throw new AssayError('PERSONALISATION', {
    summary: 'that is no way to personalise a model',
    expected: `${PERSONALISATIONS.join(', ')}, with optional ?epochs=2&learningRate=0.01&strength=0.5`,
    received: `${JSON.stringify(text)}: ${parsed.error.issues[0]!.message}`,
  });
}

/**
 * Whether a federation trains what the method starts from.
 * @throws AssayError PERSONALISATION
 */
export function checkPersonalisation({ method }: Pick<Personalisation, 'method'>, training: TrainingSettings): void {
  const { algorithm, personal } = training;
  const needed: Partial<Record<Personalisation['method'], [field: string, value: string | undefined]>> = {
    fedper: ['personal', personal?.kind],
    fedrep: ['personal', personal?.kind],
    'per-fedavg': ['algorithm', algorithm?.kind],
    reptile: ['algorithm', algorithm?.kind],
  };
  const [field, value] = needed[method] ?? [];
  if (field === undefined || value === method) return;
  throw new AssayError('PERSONALISATION', {
    summary: `${method} personalises a model that was trained for it, and this federation's is not`,
    expected: `a manifest with training.${field} of kind ${method}`,
    received: value === undefined ? `no training.${field}` : `training.${field} of kind ${value}`,
    fix: 'choose fine-tuning or ditto: they work in every federation',
  });
}

/**
 * How people name what a federation trains: an algorithm of the manifest, or a head that stays at home, which a manifest
 * says in another field.
 */
import { z } from 'zod';
import { type Algorithm, algorithmSchema, type TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { splitNamedSettings } from '../namedSettings.ts';

const HEADS = ['fedper', 'fedrep'] as const;

export const algorithmChoiceSchema = z.union([
  z.enum(['fedavg', 'scaffold', 'reptile', ...HEADS]).transform((kind) => ({ kind })),
  z.strictObject({ kind: z.enum(HEADS) }),
  algorithmSchema,
]);

export type AlgorithmChoice = Readonly<z.output<typeof algorithmChoiceSchema>>;

export const ALGORITHM_EXPECTED =
  'fedavg, fedprox?proximal=0.1, scaffold, fednova?referenceSteps=20, per-fedavg?innerLearningRate=0.05, reptile, fedper or fedrep';

/**
 * Parses `KIND` or `KIND?setting=number`.
 *
 * @throws AssayError ALGORITHM
 *
 * @example
 * parseAlgorithm('fedprox?proximal=0.1'); // { kind: 'fedprox', proximal: 0.1 }
 */
export function parseAlgorithm(text: string): AlgorithmChoice {
  const [kind, settings] = splitNamedSettings(text);
  const parsed = algorithmChoiceSchema.safeParse({ kind, ...settings });
  if (parsed.success) return parsed.data;
  throw new AssayError('ALGORITHM', {
    summary: 'that is no federated algorithm',
    expected: ALGORITHM_EXPECTED,
    received: JSON.stringify(text),
    fix: 'see docs/algorithms.md',
  });
}

/** The fields of a manifest's `training` that say it. */
export function algorithmFields(choice: AlgorithmChoice | undefined): Pick<TrainingSettings, 'algorithm' | 'personal'> {
  if (choice === undefined) return {};
  return keepsHead(choice) ? { personal: choice } : { algorithm: choice as Algorithm };
}

/** Whether the model's head stays with its participant. */
export function keepsHead(choice: AlgorithmChoice | undefined): choice is { kind: (typeof HEADS)[number] } {
  return HEADS.some((kind) => kind === choice?.kind);
}

import { AssayError } from '../../protocol/errors.ts';
import { buildMlp, mlpSettings } from './mlp.ts';
import type { Model, ModelSpec } from './model.ts';

/** A model file brings a schema for its settings and a builder; adding one here makes its `kind` known. */
const builders: Readonly<Record<string, (spec: ModelSpec) => Model>> = {
  mlp: (spec) => buildMlp(parseSettings(mlpSettings, spec)),
};

/**
 * The model a manifest describes: its tensors in coordinate order, how they start, how they compute.
 *
 * @throws AssayError MODEL_UNKNOWN, MODEL_SETTINGS
 *
 * @example
 * const model = describeModel({ kind: 'mlp', inputs: 784, hidden: [64], classes: 10, activation: 'relu' });
 * model.tensors.map(({ name }) => name); // ['hidden1/bias', 'hidden1/kernel', 'output/bias', 'output/kernel']
 */
export function describeModel(spec: ModelSpec): Model {
  const build = Object.hasOwn(builders, spec.kind) ? builders[spec.kind] : undefined;
  if (build === undefined) {
    throw new AssayError('MODEL_UNKNOWN', {
      summary: 'no model of that kind is built in',
      expected: Object.keys(builders).join(', '),
      received: JSON.stringify(spec.kind),
      fix: 'choose a kind of the list, or take a version of Assay that knows this one',
    });
  }
  return build(spec);
}

interface SettingsSchema<Settings> {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: Settings }
    | {
        readonly success: false;
        readonly error: { readonly issues: readonly { path: PropertyKey[]; message: string }[] };
      };
}

function parseSettings<Settings>(schema: SettingsSchema<Settings>, spec: ModelSpec): Settings {
  const parsed = schema.safeParse(spec);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const place = issue.path.map(String).join('.');
  throw new AssayError('MODEL_SETTINGS', {
    summary: `the settings of the ${spec.kind} model are wrong at ${place || 'the top level'}`,
    expected: issue.message,
    received: JSON.stringify(spec),
    fix: `see client/models/${spec.kind}.ts for the settings it takes`,
  });
}

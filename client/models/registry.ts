import { z } from 'zod';
import { AssayError } from '../../protocol/errors.ts';
import { buildCnn, cnnSettings } from './cnn.ts';
import { buildLora, loraSettings } from './lora.ts';
import { buildLstm, lstmSettings } from './lstm.ts';
import { buildMlp, mlpSettings } from './mlp.ts';
import type { Model, ModelSpec } from './model.ts';
import { checkOwnModel, loadedModelFile, modelKit } from './modelFile.ts';
import { buildTransformer, transformerSettings } from './transformer.ts';
import { buildVae, vaeSettings } from './vae.ts';

/** A model that participants bring as a file of their own: docs/models.md. */
const fileSettings = z.strictObject({
  kind: z.literal('file'),
  /** Of the file's bytes, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 as 64 lower-case hexadecimal digits'),
  settings: z.unknown(),
});

/** A model file brings a schema for its settings and a builder; adding one here makes its `kind` known. */
const builders: Readonly<Record<string, (spec: ModelSpec) => Model>> = {
  mlp: (spec) => buildMlp(parseSettings(mlpSettings, spec)),
  cnn: (spec) => buildCnn(parseSettings(cnnSettings, spec)),
  lstm: (spec) => buildLstm(parseSettings(lstmSettings, spec)),
  transformer: (spec) => buildTransformer(parseSettings(transformerSettings, spec)),
  vae: (spec) => buildVae(parseSettings(vaeSettings, spec)),
  lora(spec) {
    const settings = parseSettings(loraSettings, spec);
    return buildLora(settings, describeModel(settings.base.model));
  },
  file(spec) {
    const { sha256, settings } = parseSettings(fileSettings, spec);
    const { settings: schema, build } = loadedModelFile(sha256);
    const own = build(parseSettings(schema(modelKit), settings, spec), modelKit);
    return { ...checkOwnModel(own), spec };
  },
};

/**
 * The model a manifest describes: its tensors in coordinate order, how they start, how they compute.
 *
 * @throws AssayError MODEL_UNKNOWN, MODEL_SETTINGS, MODEL_FILE when it is a file that was not loaded
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
      fix: 'choose a kind of the list, write the model as a file, or take a version of Assay that knows this one',
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

/** @param value what is parsed, when that is a part of the spec only */
function parseSettings<Settings>(schema: SettingsSchema<Settings>, spec: ModelSpec): Settings;
function parseSettings<Settings>(schema: SettingsSchema<Settings>, value: unknown, spec: ModelSpec): Settings;
function parseSettings<Settings>(
  schema: SettingsSchema<Settings>,
  value: unknown,
  spec: ModelSpec = value as ModelSpec,
): Settings {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const place = issue.path.map(String).join('.');
  throw new AssayError('MODEL_SETTINGS', {
    summary: `the settings of the ${spec.kind} model are wrong at ${place || 'the top level'}`,
    expected: issue.message,
    received: JSON.stringify(value),
    fix:
      spec.kind === 'file'
        ? 'see the schema in the model file for the settings it takes'
        : `see client/models/${spec.kind}.ts for the settings it takes`,
  });
}

import { AssayError } from '../../protocol/errors.ts';
import { checkLength } from '../models/checkLength.ts';
import { type CnnSettings, placeStages } from '../models/cnn.ts';
import { layerNames, type MlpSettings } from '../models/mlp.ts';
import type { ModelSpec } from '../models/model.ts';
import { describeModel } from '../models/registry.ts';

/** The two files of a TF.js layers model. */
export interface LayersModelFiles {
  /** `model.json`: topology and the list of weights. */
  readonly modelJson: string;
  /** `weights.bin`: the weights one after the other, float32 little-endian. */
  readonly weightsBin: Uint8Array;
}

/**
 * A model as a TF.js layers model, which `tf.loadLayersModel` reads in browsers and in Node; its output are class
 * probabilities. Format: tfjs-layers `ModelJSON` with Keras 2 class names, one weight group.
 *
 * @param weights `[d]`, manifest order
 * @throws AssayError EXPORT_UNSUPPORTED for a model kind without a layers twin, WEIGHTS_LENGTH, MODEL_UNKNOWN,
 * MODEL_SETTINGS
 */
export function encodeLayersModel(
  spec: ModelSpec,
  weights: Float32Array,
  metadata: Readonly<Record<string, string>>,
): LayersModelFiles {
  const twin = TWINS[spec.kind];
  if (twin === undefined || !hasLayersForm(spec)) {
    throw new AssayError('EXPORT_UNSUPPORTED', {
      summary: `a ${spec.kind} model has no TF.js layers form here`,
      expected: Object.keys(TWINS).join(', '),
      received: spec.kind,
      fix: 'export it as safetensors',
    });
  }
  const model = describeModel(spec);
  checkLength(weights, model.dimension);
  // Loading goes by name, so the weights stay in manifest order.
  const weightsBin = new Uint8Array(4 * model.dimension);
  const view = new DataView(weightsBin.buffer);
  weights.forEach((weight, i) => {
    view.setFloat32(4 * i, weight, true);
  });
  const modelJson = {
    format: 'layers-model',
    generatedBy: 'Assay',
    convertedBy: null,
    userDefinedMetadata: metadata,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 'model', layers: twin(model.spec) },
      keras_version: '2.13.0',
      backend: 'tensorflow',
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: model.tensors.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
  };
  return { modelJson: `${JSON.stringify(modelJson, null, 2)}\n`, weightsBin };
}

/** Whether `encodeLayersModel` knows the model's kind. */
export function hasLayersForm({ kind }: ModelSpec): boolean {
  return Object.hasOwn(TWINS, kind);
}

interface Layer {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The layers of a model that has a twin in tfjs-layers. Those with weights are called as the model calls them. */
const TWINS: Readonly<Record<string, (spec: ModelSpec) => Layer[]>> = {
  mlp(spec) {
    const settings = spec as unknown as MlpSettings;
    const widths = [...settings.hidden, settings.classes];
    const layers = layerNames(settings).map((name, i) =>
      dense(name, widths[i]!, name === 'output' ? 'softmax' : settings.activation),
    );
    return withInput(layers, settings.inputs);
  },

  cnn(spec) {
    const settings = spec as unknown as CnnSettings;
    const layers = placeStages(settings).flatMap(({ name, stage, input }): Layer[] => {
      switch (stage.kind) {
        case 'conv':
          return [
            {
              class_name: 'Conv2D',
              config: {
                name,
                filters: stage.filters,
                kernel_size: [stage.size, stage.size],
                strides: [stage.strides, stage.strides],
                padding: stage.padding,
                activation: stage.activation,
                use_bias: true,
              },
            },
          ];
        case 'dense':
          return [...flattened(`${name}_input`, input), dense(name, stage.units, stage.activation)];
        default:
          return [
            {
              class_name: stage.kind === 'maxPool' ? 'MaxPooling2D' : 'AveragePooling2D',
              config: {
                name,
                pool_size: [stage.size, stage.size],
                strides: [stage.strides, stage.strides],
                padding: 'valid',
              },
            },
          ];
      }
    });
    const last = placeStages(settings).at(-1)?.output ?? settings.image;
    const image = { class_name: 'Reshape', config: { name: 'image', target_shape: settings.image } };
    const output = dense('output', settings.classes, 'softmax');
    const inputs = settings.image.reduce((product, side) => product * side, 1);
    return withInput([image, ...layers, ...flattened('output_input', last), output], inputs);
  },
};

function dense(name: string, units: number, activation: string): Layer {
  return { class_name: 'Dense', config: { name, units, activation, use_bias: true } };
}

function flattened(name: string, shape: readonly number[]): Layer[] {
  return shape.length === 1 ? [] : [{ class_name: 'Flatten', config: { name } }];
}

/** The first layer says what comes in. */
function withInput([first, ...others]: Layer[], inputs: number): Layer[] {
  return [{ ...first!, config: { ...first!.config, batch_input_shape: [null, inputs] } }, ...others];
}

import { AssayError } from '../../protocol/errors.ts';
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
  const model = describeModel(spec);
  if (spec.kind !== 'mlp') {
    throw new AssayError('EXPORT_UNSUPPORTED', {
      summary: `a ${spec.kind} model has no TF.js layers form here`,
      expected: 'mlp',
      received: spec.kind,
      fix: 'export it as safetensors',
    });
  }
  if (weights.length !== model.dimension) {
    throw new AssayError('WEIGHTS_LENGTH', {
      summary: 'the weights are not those of the model',
      expected: `${model.dimension} coordinates`,
      received: `${weights.length} coordinates`,
    });
  }
  const settings = model.spec as unknown as MlpSettings;
  const widths = [...settings.hidden, settings.classes];
  const layers = layerNames(settings).map((name, i) => ({
    class_name: 'Dense',
    config: {
      name,
      units: widths[i],
      activation: name === 'output' ? 'softmax' : settings.activation,
      use_bias: true,
      ...(i === 0 ? { batch_input_shape: [null, settings.inputs] } : {}),
    },
  }));

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
      config: { name: 'model', layers },
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

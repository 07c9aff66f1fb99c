import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { AssayError } from '../../../protocol/errors.ts';
import type { TensorFlow } from '../../models/model.ts';
import { loadTrainingKernels } from '../kernels/kernelModule.ts';
import { registerKernels } from '../kernels/registerKernels.ts';
import { refuseMissingKernels, refuseWrongKernels } from './refusedKernels.ts';

/**
 * Name and version of the kernel set. Another set gives other bits: raise the number whenever a kernel or gradient
 * changes.
 */
export const ENGINE = 'tfjs-wasm/3';

let loading: Promise<TensorFlow> | undefined;

/** TF.js on its WASM backend, loaded once per thread from the installed package: no network, no browser. */
export function loadTensorFlow(): Promise<TensorFlow> {
  loading ??= load();
  return loading;
}

async function load(): Promise<TensorFlow> {
  // The CommonJS bundles: one file each (about 50 ms in all). The ES modules are hundreds of files with extension-less
  // imports.
  const require = createRequire(import.meta.url);
  const tf = require('@tensorflow/tfjs-core') as TensorFlow;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm');
  // tfjs-layers is what registers core's gradients; nothing else of it is used here.
  require('@tensorflow/tfjs-layers');
  tf.env().set('PROD', true);
  // Threads do not work under Node; and their sums would depend on the number of cores.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
    throw new AssayError('ENGINE_NO_SIMD', {
      summary:
        'this JavaScript engine has no WASM SIMD, and without it training would give other bits than everywhere else',
      expected: 'Node 20 or newer on a 64-bit machine',
      received: `Node ${process.versions.node} on ${process.arch}`,
      fix: 'use another Node, or set the option that disables SIMD back',
    });
  }
  wasm.setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  if (!(await tf.setBackend('wasm'))) {
    throw new AssayError('ENGINE_START', {
      summary: 'the WASM backend of TF.js did not start',
      expected: 'the .wasm files of @tensorflow/tfjs-backend-wasm beside its JavaScript',
      received: dirname(require.resolve('@tensorflow/tfjs-backend-wasm')),
      fix: 'install the dependencies again',
    });
  }
  refuseWrongKernels(tf);
  registerKernels(loadTrainingKernels(tf));
  refuseMissingKernels(tf);
  return tf;
}

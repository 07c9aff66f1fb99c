import { createRequire } from 'node:module';
import util from 'node:util';
import { AssayError } from '../../../protocol/errors.ts';
import type { TensorFlow } from '../../models/model.ts';
import { plainOptimizer } from '../optimizers/plainOptimizer.ts';
import type { EngineKit } from '../tfjs/localTraining.ts';
import { composedOps } from '../tfjs/ops/composedOps.ts';

/** Name and version of this engine: native TensorFlow under TF.js. Its bits depend on the machine's processor. */
export const TFJS_NODE = 'tfjs-node/1';

const PACKAGE = '@tensorflow/tfjs-node';

/** What loads the package; another one only to test what is made of it. */
export interface PackageLoader {
  /** Where the package is, or undefined where it is not installed. */
  find(): string | undefined;
  load(): unknown;
}

/** What to do where it is missing. Not beside Assay: the next `npm ci` would remove it. */
export const INSTALL = `in a folder of its own run: npm install ${PACKAGE}; then name the folder in ASSAY_TFJS_NODE`;

const require = createRequire(import.meta.url);

/** Beside Assay, or in the folder that `ASSAY_TFJS_NODE` names: with 500 MB it may well have a place of its own. */
export const installedPackage: PackageLoader = {
  find() {
    for (const folder of [process.env.ASSAY_TFJS_NODE, import.meta.dirname]) {
      try {
        if (folder) return require.resolve(PACKAGE, { paths: [folder] });
      } catch {
        // not there
      }
    }
    return undefined;
  },
  load() {
    return require(this.find()!);
  },
};

/**
 * The engine `tfjs-node/1`: TF.js on the native TensorFlow of `@tensorflow/tfjs-node`. The package is installed by whoever
 * wants it (its installation fetches TensorFlow's library from a public host), and never by Assay.
 *
 * @throws AssayError ENGINE_UNAVAILABLE when it is not installed, or does not load
 */
export function tfjsNodeKit(loader: PackageLoader = installedPackage): EngineKit {
  if (loader.find() === undefined) throw unavailable('it is not installed', INSTALL);
  restoreUtilities();
  let tf: TensorFlow;
  try {
    tf = loader.load() as TensorFlow;
  } catch (cause) {
    const received = cause instanceof Error ? cause.message : String(cause);
    throw unavailable(
      `it does not load: ${received}`,
      'see whether its installation could fetch the native library',
      cause,
    );
  }
  if (typeof tf?.getBackend !== 'function' || tf.getBackend() !== 'tensorflow') {
    const backend = typeof tf?.getBackend === 'function' ? tf.getBackend() : 'none';
    throw unavailable(`its native backend did not start; the backend is ${backend}`, 'install the package again');
  }
  return {
    name: TFJS_NODE,
    compute: { tf, ops: composedOps(tf) },
    createOptimizer: (settings) => plainOptimizer(tf, settings),
  };
}

/** The last release of tfjs-node uses two old functions of `util`; Node 23 has one of them no more, and loading throws. */
function restoreUtilities(): void {
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  // Node 24 still has this one, and warns of it.
  old.isArray = Array.isArray;
}

function unavailable(why: string, fix: string, cause?: unknown): AssayError {
  return new AssayError('ENGINE_UNAVAILABLE', {
    summary: `the federation trains with ${TFJS_NODE}, and ${PACKAGE} cannot be used: ${why}`,
    expected: `${PACKAGE} 4, installed and with its native library`,
    received: why,
    fix: `${fix}; or train with a command of your own: --trainer`,
    ...(cause === undefined ? {} : { cause }),
  });
}

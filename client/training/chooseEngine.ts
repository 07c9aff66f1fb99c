import { AssayError } from '../../protocol/errors.ts';
import type { TrainerCommand } from './external/command.ts';
import { TRAINER_PROTOCOL } from './external/task.ts';
import { ENGINE } from './tfjs/backend.ts';
import { INSTALL, installedPackage, type PackageLoader, TFJS_NODE } from './tfjsNode/kit.ts';

/** Which engine trains, and one line for people that says so and why. */
export interface EngineChoice {
  readonly kind: 'embedded' | 'tfjs-node' | 'external';
  readonly line: string;
}

/**
 * The engine for a manifest. It names one; a participant who brings a command of its own trains with that instead, as
 * nobody can see, and nothing depends on, what computed an update.
 *
 * @throws AssayError TRAINER_MISSING, ENGINE_UNAVAILABLE, ENGINE_MISMATCH
 */
export function chooseEngine(
  engine: string,
  command?: TrainerCommand,
  tfjsNode: PackageLoader = installedPackage,
): EngineChoice {
  if (command !== undefined) {
    const instead = engine === TRAINER_PROTOCOL ? '' : ` instead of ${engine}, the manifest's engine`;
    return {
      kind: 'external',
      line: `training with ${command.name}, an external trainer (${TRAINER_PROTOCOL})${instead}`,
    };
  }
  switch (engine) {
    case ENGINE: {
      return { kind: 'embedded', line: `training with ${ENGINE}, the built-in engine, as the manifest says` };
    }
    case TFJS_NODE: {
      const place = tfjsNode.find();
      if (place !== undefined)
        return { kind: 'tfjs-node', line: `training with ${TFJS_NODE}, native TensorFlow at ${place}` };
      throw new AssayError('ENGINE_UNAVAILABLE', {
        summary: `the federation trains with ${TFJS_NODE}, which is not installed here`,
        expected: 'the package @tensorflow/tfjs-node',
        received: 'none',
        fix: `${INSTALL}; or train with a command of your own: --trainer`,
      });
    }
    case TRAINER_PROTOCOL: {
      throw new AssayError('TRAINER_MISSING', {
        summary: 'in this federation every participant brings its own trainer',
        expected: "--trainer 'COMMAND'",
        received: 'none',
        fix: 'see docs/trainers.md; client/training/external/python/ has examples',
      });
    }
    default: {
      throw new AssayError('ENGINE_MISMATCH', {
        summary: 'the federation trains with another engine',
        expected: `${ENGINE}, ${TFJS_NODE} or ${TRAINER_PROTOCOL}`,
        received: engine,
        fix: 'use a version of Assay that has that engine',
      });
    }
  }
}

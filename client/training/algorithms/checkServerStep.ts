import type { ServerOptimizer } from '../../../protocol/aggregation/serverStep.ts';
import type { TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';

/**
 * Whether an algorithm works with a federation's server step.
 * @throws AssayError ALGORITHM_SERVER for SCAFFOLD with a step that is not the updates' mean times a number: the server's
 *   control could not be read off two models
 */
export function checkAlgorithmServer({ algorithm }: TrainingSettings, optimizer: ServerOptimizer): void {
  if (algorithm?.kind !== 'scaffold' || optimizer === 'fedAvg') return;
  throw new AssayError('ALGORITHM_SERVER', {
    summary: "scaffold reads the server's control off two models that follow each other",
    expected: 'the server step fedAvg',
    received: optimizer,
    fix: 'use --server fedAvg, or another algorithm',
  });
}

/** What can be done with a model that is whole only. */
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';

/**
 * @param purpose what a head is needed for, as in "evaluation"
 * @throws AssayError `NO_HEAD` for a federation whose participants keep their heads at home
 */
export function refuseBodies({ training }: Pick<Manifest, 'training'>, purpose: string): void {
  if (training.personal === undefined) return;
  throw new AssayError('NO_HEAD', {
    summary: `${purpose} needs a whole model, and in this federation every participant keeps its own head`,
    expected: 'a federation that trains all of its model jointly',
    received: `training.personal of kind ${training.personal.kind}`,
    fix: 'participants measure and keep the model under their own head: assay client --personalise',
  });
}

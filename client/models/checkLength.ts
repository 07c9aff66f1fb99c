import { AssayError } from '../../protocol/errors.ts';

/** That `values` are as many as the model has. `what` they are is for the message. @throws AssayError WEIGHTS_LENGTH */
export function checkLength(values: Float32Array, expected: number, what = 'weights'): void {
  if (values.length === expected) return;
  throw new AssayError('WEIGHTS_LENGTH', {
    summary: `the ${what} are not those of the model`,
    expected: `${expected} coordinates`,
    received: `${values.length} coordinates`,
    fix: 'take model and weights from the same federation',
  });
}

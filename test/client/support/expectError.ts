import { expect } from 'chai';
import { AssayError } from '../../../protocol/errors.ts';

/** The AssayError that `action` throws, whose code and text are checked. */
export async function expectError(action: () => unknown, code: string, text?: RegExp): Promise<AssayError> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `expected ${code}, nothing was thrown`).to.be.instanceOf(AssayError);
  const error = thrown as AssayError;
  expect(error.code).to.equal(code);
  if (text !== undefined) expect(error.message).to.match(text);
  return error;
}

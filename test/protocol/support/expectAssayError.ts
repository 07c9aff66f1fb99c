import { expect } from 'chai';
import { AssayError } from '../../../protocol/errors.ts';

/** Runs `work`, which must throw an AssayError of that code, and returns it. */
export function expectAssayError(code: string, work: () => unknown): AssayError {
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    expect(error).to.be.instanceOf(AssayError);
    expect((error as AssayError).code).to.equal(code);
    return error as AssayError;
  }
  return expect.fail(`nothing was thrown, expected ${code}; the result was ${String(result)}`);
}

/** From a revert of the contract to a message that says what to do. */
import { BaseError, ContractFunctionRevertedError } from 'viem';
import { AssayError } from '../protocol/errors.ts';

/** What a user can do about a custom error of the contract. Errors not listed explain themselves by their values. */
const ADVICE: Readonly<Record<string, string>> = {
  NotAMember: 'ask the owner of the federation to add this address with addMembers',
  StakeTooLow: 'send at least the stake that the parameters ask for, or top up',
  AlreadyRegistered: 'this address is registered already; start the node without registering again',
  NotRegistered: 'register first',
  NormAboveBound: "clip the update to the federation's norm bound",
  TooManyParticipants: 'the federation is full',
};

/**
 * The contract's custom error behind a failed call, or undefined when the failure was another.
 */
export function revertName(error: unknown): string | undefined {
  if (error instanceof AssayError) return error.code.startsWith('REVERT_') ? error.code.slice(7) : undefined;
  return revertOf(error)?.data?.errorName;
}

/**
 * An AssayError for a failed contract call: `REVERT_<custom error>` with the values that broke the rule, or
 * `TRANSACTION`.
 */
export function explainFailure(action: string, error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const inner = error instanceof BaseError ? error.walk((cause) => cause instanceof AssayError) : null;
  if (inner instanceof AssayError) return inner;
  const revert = revertOf(error);
  if (revert?.data !== undefined) {
    const { errorName, args = [] } = revert.data;
    return new AssayError(`REVERT_${errorName}`, {
      summary: `the contract refused ${action}`,
      received: `${errorName}(${args.map(String).join(', ')})`,
      ...(ADVICE[errorName] === undefined ? {} : { fix: ADVICE[errorName] }),
      cause: error,
    });
  }
  const text = error instanceof BaseError ? `${error.shortMessage} ${error.details}` : String(error);
  if (/insufficient funds|enough funds|doesn't have enough/i.test(text)) {
    return new AssayError('UNFUNDED', {
      summary: `the account cannot pay for ${action}`,
      expected: 'a balance that covers the stake and the gas',
      received: text.trim(),
      fix: 'send ether to this address, then start again',
      cause: error,
    });
  }
  return new AssayError('TRANSACTION', { summary: `${action} failed`, received: text.trim(), cause: error });
}

function revertOf(error: unknown): ContractFunctionRevertedError | undefined {
  if (!(error instanceof BaseError)) return undefined;
  const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  return revert instanceof ContractFunctionRevertedError ? revert : undefined;
}

import { expect } from 'chai';
import { BaseError, ContractFunctionExecutionError, ContractFunctionRevertedError, encodeErrorResult } from 'viem';
import { federationAbi } from '../../chain/abi/federation.ts';
import { explainFailure, revertName } from '../../chain/revert.ts';
import { AssayError } from '../../protocol/errors.ts';

const SOMEBODY = '0x00000000000000000000000000000000000000AA';

/** As viem throws it from a call that the contract refused. */
function reverted(errorName: 'NotAMember' | 'StakeTooLow' | 'WrongPhase', args: readonly unknown[]): BaseError {
  const data = encodeErrorResult({ abi: federationAbi, errorName, args } as never);
  const cause = new ContractFunctionRevertedError({ abi: federationAbi, data, functionName: 'commitUpdate' });
  return new ContractFunctionExecutionError(cause, {
    abi: federationAbi,
    functionName: 'commitUpdate',
    args: [1n, `0x${'12'.repeat(32)}`],
  });
}

describe('chain: from a revert to a message', () => {
  it('a custom error: its name, its values, and what to do', () => {
    const error = explainFailure('commitUpdate', reverted('StakeTooLow', [7n, 10n]));
    expect(error.code).to.equal('REVERT_StakeTooLow');
    expect(error.message).to.match(
      /the contract refused commitUpdate\n {2}Received: StakeTooLow\(7, 10\)\n {2}To do: +send/,
    );
    expect(explainFailure('x', reverted('NotAMember', [SOMEBODY])).message)
      .to.contain(SOMEBODY)
      .and.contain('addMembers');
  });

  it('a custom error without advice says its values', () => {
    const { message } = explainFailure('commitUpdate', reverted('WrongPhase', [3n, 4, 2]));
    expect(message).to.contain('WrongPhase(3, 4, 2)').and.not.contain('To do');
  });

  it('revertName reads it from both, and from nothing else', () => {
    const raw = reverted('NotAMember', [SOMEBODY]);
    expect(revertName(raw)).to.equal('NotAMember');
    expect(revertName(explainFailure('x', raw))).to.equal('NotAMember');
    expect(revertName(new AssayError('RPC_DOWN', { summary: 'down' }))).to.equal(undefined);
    expect(revertName(new Error('NotAMember'))).to.equal(undefined);
    expect(revertName(undefined)).to.equal(undefined);
  });

  it('too little money is said as such, in the words of several nodes', () => {
    for (const details of [
      'insufficient funds for gas * price + value: have 0 want 21000',
      "Sender doesn't have enough funds to send tx. The max upfront cost is: 5",
    ]) {
      const error = explainFailure('register', new BaseError('Failed.', { details }));
      expect(error.code).to.equal('UNFUNDED');
      expect(error.message).to.contain('send ether to this address').and.contain(details);
    }
  });

  it('an error of ours passes through, also from inside one of viem', () => {
    const ours = new AssayError('RPC_DOWN', { summary: 'down' });
    expect(explainFailure('x', ours)).to.equal(ours);
    expect(explainFailure('x', new BaseError('wrapped', { cause: new BaseError('twice', { cause: ours }) }))).to.equal(
      ours,
    );
  });

  it('anything else names the action and keeps its cause', () => {
    const cause = new BaseError('Nonce too low.', { details: 'nonce 3' });
    const error = explainFailure('publishRound', cause);
    expect(error.code).to.equal('TRANSACTION');
    expect(error.message).to.match(/publishRound failed[\s\S]*Nonce too low\. nonce 3/);
    expect(error.cause).to.equal(cause);
  });
});

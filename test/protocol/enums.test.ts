/** One name for one thing: the Solidity enums and structs, read from their sources, against the TypeScript ones. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { COMBINES, PRE_AGGREGATIONS } from '../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS } from '../../protocol/aggregation/serverStep.ts';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';

const source = (file: string) => readFileSync(new URL(`../../contracts/types/${file}.sol`, import.meta.url), 'utf8');

function enumMembers(file: string, name: string): string[] {
  const [, body] = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source(file))!;
  return body!.split(',').map((member) => member.trim());
}

function structFields(file: string, name: string): string[] {
  const [, body] = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(source(file))!;
  return [...body!.matchAll(/^\s*(\w+) (\w+);/gm)].map(([, type, field]) => `${type} ${field}`);
}

const asSolidity = (names: readonly string[]) => names.map((name) => name[0]!.toUpperCase() + name.slice(1));

/** The contract may know fewer: those that it can judge. */
function expectStart(members: readonly string[], names: readonly string[]): void {
  expect(members.length).to.be.at.least(2);
  expect(members).to.deep.equal(names.slice(0, members.length));
}

describe('names shared with the contracts', () => {
  it('are the same, in the same order, in every enum', () => {
    expectStart(enumMembers('FederationParameters', 'PreAggregation'), asSolidity(PRE_AGGREGATIONS));
    expectStart(enumMembers('FederationParameters', 'Combine'), asSolidity(COMBINES));
    expectStart(enumMembers('FederationParameters', 'ServerOptimizer'), asSolidity(SERVER_OPTIMIZERS));
    expect(enumMembers('Round', 'RoundPhase')).to.deep.equal(asSolidity(ROUND_PHASES));
  });

  it('give a publication the fields that its hash covers, in that order', () => {
    expect(structFields('Round', 'Publication')).to.deep.equal([
      'bytes32 modelRoot',
      'bytes32 stateRoot',
      'bytes32 gramRoot',
      'bytes32 mixingHash',
      'bytes32 submissionSet',
      'bytes modelCid',
      'bytes evidenceCid',
    ]);
  });
});

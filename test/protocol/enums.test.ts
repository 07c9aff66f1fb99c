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

describe('names shared with the contracts', () => {
  it('are the same, in the same order, in every enum', () => {
    expect(enumMembers('FederationParameters', 'PreAggregation')).to.deep.equal(asSolidity(PRE_AGGREGATIONS));
    expect(enumMembers('FederationParameters', 'Combine')).to.deep.equal(asSolidity(COMBINES));
    expect(enumMembers('FederationParameters', 'ServerOptimizer')).to.deep.equal(asSolidity(SERVER_OPTIMIZERS));
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

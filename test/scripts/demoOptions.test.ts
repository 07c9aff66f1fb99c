import { expect } from 'chai';
import { checkDemoOptions, type DemoOptions } from '../../scripts/demo/demoOptions.ts';
import { expectError } from '../client/support/expectError.ts';

describe('options of the demonstration', () => {
  const options = { clients: 10, byzantine: 2, rule: 'nnm+trimmed-mean', attack: 'signFlipping' } as DemoOptions;
  const check = (change: Partial<DemoOptions>) => () => checkDemoOptions({ ...options, ...change });

  it('what the rule is not defined for is refused before anything starts, in the demonstration’s own words', async () => {
    expect(check({})).to.not.throw();
    expect(check({ clients: 5 })).to.not.throw();
    await expectError(check({ clients: 4 }), 'DEMO_OPTIONS', /Expected: --clients 5 or more\n {2}Received: 4/);
    await expectError(check({ rule: 'multi-krum', clients: 6 }), 'DEMO_OPTIONS', /--clients 7 or more/);
  });

  it('somebody must be honest, also with plain averaging, which knows no f', async () => {
    await expectError(check({ rule: 'fedavg', clients: 2 }), 'DEMO_OPTIONS', /nobody would be honest/);
    await expectError(check({ attack: 'gossip' }), 'ATTACK_UNKNOWN', /signFlipping/);
  });
});

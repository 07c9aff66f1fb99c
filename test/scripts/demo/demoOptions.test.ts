import { expect } from 'chai';
import { checkDemoOptions, type DemoOptions, rogueClients, rogueRound } from '../../../scripts/demo/demoOptions.ts';
import { taskOf, withTaskDefaults } from '../../../scripts/demo/tasks/registry.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('options of the demonstration', () => {
  const options = {
    task: 'classify',
    clients: 10,
    byzantine: 2,
    rule: 'nnm+trimmed-mean',
    server: 'fedAvg',
    attack: 'signFlipping',
  } as DemoOptions;
  const check = (change: Partial<DemoOptions>) => () => checkDemoOptions({ ...options, ...change });

  it('what the rule is not defined for is refused before anything starts, in the demonstration’s own words', async () => {
    expect(check({})).to.not.throw();
    expect(check({ clients: 5 })).to.not.throw();
    await expectError(check({ clients: 4 }), 'DEMO_OPTIONS', /Expected: --clients 5 or more\n {2}Received: 4/);
    await expectError(check({ rule: 'multi-krum', clients: 6 }), 'DEMO_OPTIONS', /--clients 7 or more/);
  });

  it('a participant that there is not and a moment that no step has are refused before anything starts', async () => {
    const trusted = { rule: 'fltrust', auditOnly: true };
    expect(check({ ...trusted, reference: 9 })).to.not.throw();
    await expectError(check({ ...trusted, reference: 10 }), 'REFERENCE', /--reference 0 to 9\n {2}Received: 10/);
    await expectError(check({ serverSecondMoment: 0.9 }), 'SERVER_STEP', /.*/);
  });

  it('somebody must be honest, also with plain averaging, which knows no f', async () => {
    await expectError(check({ rule: 'fedavg', clients: 2 }), 'DEMO_OPTIONS', /nobody would be honest/);
    await expectError(check({ attack: 'gossip' }), 'ATTACK_UNKNOWN', /signFlipping/);
  });

  it('the code task has as many silos as there are packages, and no labels', async () => {
    const checkCode = (change: Partial<DemoOptions>) => () =>
      taskOf({ task: 'code' }).check({ ...options, task: 'code', ...change });
    expect(checkCode({ clients: 8 })).to.not.throw();
    await expectError(checkCode({ clients: 9 }), 'DEMO_OPTIONS', /--clients up to 8/);
    await expectError(checkCode({ clients: 8, attack: 'labelFlipping' }), 'DEMO_OPTIONS', /no labels/);
  });

  it('a task sets what the user left open, and momentum only for its own server step', () => {
    const asked = (given: Partial<DemoOptions>) =>
      withTaskDefaults({ ...options, ...given }, (name) => !Object.hasOwn(given, name));
    expect(asked({ task: 'classify' })).to.deep.equal(options);
    expect(asked({ task: 'code' })).to.include({ clients: 6, byzantine: 0, server: 'fedAvgM', serverMomentum: 0.5 });
    expect(asked({ task: 'code', clients: 3, byzantine: 1 })).to.include({ clients: 3, byzantine: 1 });
    expect(asked({ task: 'digits', server: 'fedAvg' }))
      .to.include({ server: 'fedAvg' })
      .and.not.have.property('serverMomentum');
    expect(checkDemoOptions(asked({ task: 'digits', server: 'fedAvg' }))).to.equal(undefined);
  });

  it('whoever is thrown out must not be missed: rogue clients count on top of what the rule needs', async () => {
    expect(check({ clients: 6, lyingClient: true })).to.not.throw();
    await expectError(
      check({ clients: 5, lyingClient: true }),
      'DEMO_OPTIONS',
      /when 1 of them are thrown out[\s\S]*--clients 6 or more/,
    );
    await expectError(check({ clients: 6, lyingClient: true, withholdingClient: true }), 'DEMO_OPTIONS', /7 or more/);
    expect(rogueClients({ ...options, lyingClient: true, withholdingClient: true })).to.deep.equal([
      'lying-client',
      'withholding-client',
    ]);
  });

  it('rogues act about the middle, in a round that the first aggregator leads', () => {
    const acts = [1, 2, 3, 4, 5, 6, 9, 10].map((rounds) => rogueRound({ rounds }));
    expect(acts).to.deep.equal([1, 1, 1, 1, 3, 3, 5, 5]);
  });
});

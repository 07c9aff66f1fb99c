import { expect } from 'chai';
import { Command } from 'commander';
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import { checkServerStep, Q16, SERVER_OPTIMIZERS } from '../../../protocol/aggregation/serverStep.ts';
import {
  planRule,
  planServerStep,
  type RuleSettings,
  type ServerSettings,
  withRuleSettings,
  withServerSettings,
} from '../../../scripts/federation/ruleSettings.ts';
import { expectError } from '../../client/support/expectError.ts';

/** What the command line gives. */
function parsed(...words: string[]): RuleSettings & ServerSettings {
  const command = withServerSettings(withRuleSettings(new Command()))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const options: RuleSettings & ServerSettings = command.parse(words, { from: 'user' }).opts();
  return { ...options, byzantine: 1 };
}

describe('the rule that the options choose', () => {
  it('is the one that the chain can enforce, unless the federation is audited only', async () => {
    expect(planRule(parsed())).to.deep.equal({ rule: parseRule('nnm+trimmed-mean', 1), enforced: true });
    const composed = ['--rule', 'arc+nnm+trimmed-mean'];
    const error = await expectError(() => planRule(parsed(...composed)), 'AUDIT_ONLY', /or --audit-only/);
    expect(error.message).to.include('nnm+trimmed-mean').and.include('--rule arc+nnm+trimmed-mean');
    expect(planRule(parsed(...composed, '--audit-only'))).to.deep.equal({
      rule: parseRule('arc+nnm+trimmed-mean', 1),
      enforced: false,
    });
    expect(planRule(parsed('--rule', 'median', '--audit-only')).enforced).to.equal(false);
  });

  it('takes each parameter from its own option', () => {
    const rule = (...words: string[]) => planRule(parsed(...words, '--audit-only')).rule;
    expect(rule('--rule', 'bucketing+multi-krum', '--bucket-size', '3', '--selected', '4')).to.deep.equal(
      parseRule('bucketing+multi-krum', 1, { bucketSize: 3, selected: 4 }),
    );
    expect(rule('--rule', 'fltrust', '--reference', '7')).to.deep.equal(parseRule('fltrust', 1, { reference: 7 }));
    // Lengths are counted in quantisation steps of 2^-16.
    expect(rule('--rule', 'centered-clipping', '--clip-radius', '0.5', '--iterations', '5')).to.deep.equal(
      parseRule('centered-clipping', 1, { radius: 32_768n, iterations: 5 }),
    );
  });

  it('is refused for what it is, before anybody asks who checks it', async () => {
    const words = ['--rule', 'krum+nnm'];
    await expectError(() => planRule(parsed(...words)), 'RULE_PARAMETERS', /only nnm, bucketing, arc.*\n.*krum\+nnm/);
    await expectError(() => planRule(parsed('--rule', 'centered-clipping')), 'RULE_PARAMETERS', /--clip-radius/);
  });

  it('is refused by a name that nobody knows, with those that there are', () => {
    for (const name of ['', 'trimmed_mean', 'median+nnm', 'nnm+']) {
      expect(() => parsed('--rule', name), name).to.throw(/Expected fedavg \| median .* after any of nnm\+/);
    }
  });
});

describe('the server step that the options choose', () => {
  it('has defaults that suit it', () => {
    const step = (server: (typeof SERVER_OPTIMIZERS)[number]) => planServerStep({ server });
    for (const optimizer of SERVER_OPTIMIZERS) checkServerStep(step(optimizer));
    expect(step('fedAvg')).to.include({ learningRateQ16: Q16, momentumQ16: 0, adaptivity: 0 });
    expect(step('fedAdam')).to.deep.equal({
      optimizer: 'fedAdam',
      learningRateQ16: Math.round(0.01 * Q16),
      momentumQ16: Math.round(0.9 * Q16),
      secondMomentQ16: Math.round(0.99 * Q16),
      adaptivity: Math.round(0.001 * 2 ** 24),
    });
    expect(step('fedAdagrad').secondMomentQ16).to.equal(0);
  });

  it('takes each number from its own option', () => {
    const words = ['--server', 'fedYogi', '--server-learning-rate', '0.25', '--server-momentum', '0.5'];
    const all = [...words, '--server-second-moment', '0.75', '--server-adaptivity', '0.125'];
    expect(planServerStep(parsed(...all))).to.deep.equal({
      optimizer: 'fedYogi',
      learningRateQ16: Q16 / 4,
      momentumQ16: Q16 / 2,
      secondMomentQ16: (Q16 * 3) / 4,
      adaptivity: 2 ** 21,
    });
  });
});

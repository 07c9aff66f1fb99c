/** One name per phase everywhere: docs/lifecycle.md has the headings that TypeScript and Solidity have as literals, in their order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ROUND_PHASES } from '../../protocol/round/phases.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('docs/lifecycle.md', () => {
  const page = read('docs/lifecycle.md');

  it('has the phases as its headings', () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading);
    const [, body = ''] = read('contracts/types/Round.sol').match(/enum RoundPhase \{([^}]*)\}/) ?? [];
    const members = body.split(',').map((member) => member.trim());
    expect(headings.slice(0, members.length)).to.deep.equal(members);
    expect(members.map((member) => member.toLowerCase())).to.deep.equal([...ROUND_PHASES]);
  });

  it('states the gas of the snapshot, in thousands', () => {
    const gas = JSON.parse(read('test/contracts/gas.snapshot.json')) as Record<string, number>;
    const stated: [string, string[]][] = [
      ['commit', ['steadyRound.commit', 'steadyRound.commit.first', 'steadyRound.commit.last']],
      ['reveal', ['steadyRound.reveal', 'steadyRound.reveal.first', 'steadyRound.reveal.last']],
      ['commit and reveal, mean', ['steadyRound.commitAndReveal.mean']],
      ['publish, which opens the next round', ['steadyRound.publish']],
      ['finalize', ['finalize']],
      ['register', ['registerParticipant', 'registerAggregator']],
      ['exit and withdraw', ['requestExit', 'withdraw']],
      ['create a federation', ['createFederation']],
    ];
    for (const [action, keys] of stated) {
      const row = page.split('\n').find((line) => line.startsWith(`| ${action} |`)) ?? '';
      const numbers = [...row.matchAll(/(\d+),000/g)].map(([, thousands]) => Number(thousands));
      expect(numbers, action).to.deep.equal(keys.map((key) => Math.round(gas[key]! / 1000)));
    }
  });
});

/**
 * Accuracy by round on MNIST (784-64-10, silos from Dirichlet(0.5)) with and without attackers, for several rules and
 * bounds. This is where the defaults in client/models/presets.ts come from.
 *
 *     node scripts/setup/run.mjs bench/learning.ts [--rounds 10] [--clients 10] [--byzantine 2] [--attack signFlipping]
 *         [--seeds 1,2,3] [--cache .cache] [--json FILE]
 */
import { parseArgs } from 'node:util';
import { parseAttack } from '../client/attacks/registry.ts';
import { loadMnist } from '../client/datasets/mnist.ts';
import { mnistMlp } from '../client/models/presets.ts';
import { writeFileAtomic } from '../storage/atomicFile.ts';
import { type SimulatedRound, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '10' },
    byzantine: { type: 'string', default: '2' },
    attack: { type: 'string', default: 'signFlipping' },
    seeds: { type: 'string', default: '1,2,3' },
    cache: { type: 'string', default: '.cache' },
    json: { type: 'string' },
  },
});

const { manifest, maxUpdateNorm } = mnistMlp();
const attack = parseAttack(values.attack);
const data = await loadMnist(values.cache);
const cases = [
  { title: 'no attack, fedavg', rule: 'fedavg', attack: null, maxUpdateNorm },
  { title: 'attack, nnm+trimmed-mean', rule: 'nnm+trimmed-mean', attack, maxUpdateNorm },
  { title: 'attack, fedavg', rule: 'fedavg', attack, maxUpdateNorm },
  { title: 'attack, nnm+trimmed-mean, no bound', rule: 'nnm+trimmed-mean', attack, maxUpdateNorm: null },
  { title: 'attack, fedavg, no bound', rule: 'fedavg', attack, maxUpdateNorm: null },
];

interface Row {
  readonly title: string;
  readonly seed: number;
  readonly rounds: readonly SimulatedRound[];
}

const rows: Row[] = [];
console.log(`${manifest.name}: ${values.clients} participants, ${values.byzantine} of them ${attack.name}`);
console.log(`norm bound ${maxUpdateNorm}, ${JSON.stringify(manifest.training)}`);
for (const { title, ...settings } of cases) {
  for (const seed of values.seeds.split(',').map(Number)) {
    const rounds = await simulate({
      manifest,
      data,
      rounds: Number(values.rounds),
      clients: Number(values.clients),
      byzantine: Number(values.byzantine),
      alpha: 0.5,
      seed,
      ...settings,
    });
    rows.push({ title, seed, rounds });
    const accuracies = rounds.map(({ accuracy }) => accuracy.toFixed(3)).join(' ');
    const seconds = rounds.reduce((sum, { trainSeconds }) => sum + trainSeconds, 0) / rounds.length;
    const saturated = rounds.reduce((sum, round) => sum + round.saturated, 0);
    const cost = `${seconds.toFixed(2)} s/round`;
    console.log(`${title.padEnd(36)} seed ${seed}  ${accuracies}  train ${cost}  beyond int16: ${saturated}`);
  }
}
if (values.json !== undefined) {
  await writeFileAtomic(
    values.json,
    `${JSON.stringify({ manifest, maxUpdateNorm, attack: attack.name, rows }, null, 2)}\n`,
  );
}

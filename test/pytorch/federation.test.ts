/** A federation on a real chain in which one participant's node trains with the numpy example. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Dataset, takeRows } from '../../client/datasets/dataset.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import { clouds } from '../client/support/smallFederation.ts';
import { startAggregator, startParticipant } from '../scenarios/support/inProcess.ts';
import { nodeArgs, nodeFolder, startAssay } from '../scenarios/support/processes.ts';
import { SLOW_MACHINE_MS, useWorld, type World } from '../scenarios/support/world.ts';
import { example, needPython } from './python.ts';

describe('federation with a numpy trainer', function () {
  this.timeout(SLOW_MACHINE_MS);
  let python: string;
  before(function () {
    python = needPython(this, 'numpy');
  });
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('one trains with numpy, two with the built-in engine: the model learns, the audit holds', async () => {
    const fed = await world.federation({ rounds: 2 });
    // Two of the three clouds: the table model of scenarios tells two classes apart.
    const silo = (seed: string) => twoClasses(clouds(150, seed));
    const aggregator = await startAggregator(world, fed);
    for (const seed of ['north', 'south']) {
      const trainer = createTrainer({ manifest: fed.manifest, train: silo(seed) });
      world.test.add(() => trainer.close());
      await startParticipant(world, fed, { seed, change: { trainer } });
    }
    const { folder } = await nodeFolder(world, fed);
    const table = join(folder, 'silo.csv');
    const { x, y, size } = silo('west');
    const rows = Array.from({ length: size }, (_, i) => [...x.subarray(4 * i, 4 * i + 4), y[i]].join());
    await writeFile(table, ['a,b,c,d,label', ...rows].join('\n'));
    const node = startAssay(world, [
      ...['client', ...nodeArgs(world, fed, folder), '--dataset', `csv:${table}?label=label`, '--seed', 'west'],
      ...['--trainer', `'${python}' '${example('numpy_trainer.py')}'`],
    ]);
    const [first, second] = [await node.waitFor('trained', 1), await node.waitFor('trained', 2)];
    expect(second.loss).to.be.below(first.loss as number);
    expect(
      node.lines.some(({ text }) => /numpy_trainer.py, an external trainer .* instead of tfjs/.test(String(text))),
    ).to.equal(true);
    await aggregator.waitFor('ended');
    expect((await node.ended).status).to.equal(0);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });
});

function twoClasses(dataset: Dataset): Dataset {
  const rows = [...dataset.y.keys()].filter((row) => dataset.y[row]! < 2);
  return { ...takeRows(dataset, rows), classes: 2 };
}

/** A node that ends in the middle of a training: what becomes of its trainer? Prints what the trainer prints. */

import { parseCommand } from '../../../../../client/training/external/command.ts';
import { ExternalTrainer } from '../../../../../client/training/external/externalTrainer.ts';
import { clouds, smallManifest } from '../../../support/smallFederation.ts';

const [script = '', mode = ''] = process.argv.slice(2);
const trainer = new ExternalTrainer({
  manifest: smallManifest(),
  command: parseCommand(`'${process.execPath}' '${script}' deaf`),
  mode: mode as 'folder' | 'persistent',
  train: clouds(8, 'owner'),
  onLog(line) {
    console.log(line);
    // The trainer hangs now, deaf to requests, and has a child.
    if (line.includes('child')) process.exit(0);
  },
});
await trainer.train({ weights: new Float32Array(trainer.dimension), round: 1, seed: 's' });

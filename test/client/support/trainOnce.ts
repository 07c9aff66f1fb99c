/** A process of its own: trains one fixed task and prints the hash of the weights' bytes. */

import { sha256 } from '#sha256';
import { createTrainer } from '../../../client/training/createTrainer.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { clouds, smallManifest } from './smallFederation.ts';

const trainer = createTrainer({ manifest: smallManifest(), train: clouds(200, 'fixed') });
const start = await trainer.init('fixed');
const { weights } = await trainer.train({ weights: start, round: 3, seed: 'fixed' });
await trainer.close();
console.log(toHex(sha256(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))));

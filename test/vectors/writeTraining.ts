/**
 * Writes training.json: the hashes of the weights that short trainings end with, as the kernels of this checkout give
 * them. When they change, ENGINE (client/training/tfjs/backend.ts) must change with them, once released.
 *
 *     node test/vectors/writeTraining.ts
 */
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { trainingDigests } from '../client/support/trainingDigests.ts';

const path = new URL('./training.json', import.meta.url).pathname;
await writeFileAtomic(path, `${JSON.stringify(await trainingDigests(), null, 2)}\n`);

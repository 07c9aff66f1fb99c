/**
 * Writes kernels.json: the digests of test/browser/exercise.ts as the plain reference computes them.
 *
 *     node test/vectors/writeKernels.ts
 */
import { referenceEngine } from '../../protocol/round/engine/referenceEngine.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { exercise } from '../browser/exercise.ts';

const path = new URL('./kernels.json', import.meta.url).pathname;
await writeFileAtomic(path, `${JSON.stringify(await exercise(referenceEngine), null, 2)}\n`);

/** A process of its own: prints the digests of `trainingDigests`, that and nothing else. */
import { trainingDigests } from './trainingDigests.ts';

process.stdout.write(JSON.stringify(await trainingDigests()));

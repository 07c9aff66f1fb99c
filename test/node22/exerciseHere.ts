/** Prints the digests that the kernels of this Node give: `node exerciseHere.ts THREADS`. */
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';
import { exercise } from '../browser/exercise.ts';

const engine = createWasmEngine({ threads: Number(process.argv[2]) });
process.stdout.write(JSON.stringify(await exercise(engine)));
await engine.close();

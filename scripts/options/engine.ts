/** What computes the numbers of rounds. */
import { type Command, Option } from 'commander';
import { ENGINES, type EngineName, type RoundEngine } from '../../protocol/round/engine/roundEngine.ts';
import { integer, oneOf } from './values.ts';

export interface EngineOptions {
  readonly engine: EngineName;
  readonly threads?: number;
}

export function withEngine(command: Command): Command {
  return command
    .addOption(
      new Option('--engine <name>', 'what computes: wasm, the SIMD kernels, or reference, plain TypeScript')
        .argParser(oneOf(...ENGINES))
        .default('wasm'),
    )
    .option('--threads <n>', 'threads that compute; default: one for each processor, for large models', integer(1, 64));
}

/** For logs. */
export function describeEngine({ name, threads }: RoundEngine): string {
  if (name === 'reference') return 'the reference engine, plain TypeScript';
  return `the ${name} engine, ${threads === 1 ? '1 thread' : `up to ${threads} threads`}`;
}

/** Options of the commands that compute with a model whose manifest leaves something to be brought along. */
import type { Command } from 'commander';

export interface ModelFileOptions {
  readonly modelFile?: string;
  readonly baseFile?: string;
}

export function withModelFiles(command: Command): Command {
  return command
    .option(
      '--model-file <file>',
      'code of a model of kind file; it runs with all rights of this process: read it first',
    )
    .option('--base-file <file>', 'base of a model of adapters; default: fetched by the CID in the manifest');
}

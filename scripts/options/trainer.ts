/** Options of the commands that may train with an external trainer. */
import { type Command, Option } from 'commander';
import { parseCommand } from '../../client/training/external/command.ts';
import type { ExternalTrainerOptions, TrainerMode } from '../../client/training/external/externalTrainer.ts';
import { DEFAULT_LIMITS } from '../../client/training/external/trainerProcess.ts';
import { collect, decimal, oneOf } from './values.ts';

export interface ExternalTrainerFlags {
  readonly trainerIdle: number;
  readonly trainerTimeout: number;
  readonly trainerEnv: readonly string[];
}

export interface TrainerFlags extends ExternalTrainerFlags {
  readonly trainer?: string;
  readonly trainerMode: TrainerMode;
  readonly data?: string;
}

/** How long a trainer may take, and what it sees. */
export function withTrainerLimits(command: Command): Command {
  return command
    .option(
      '--trainer-idle <seconds>',
      'end a trainer that prints nothing and reports nothing for so long',
      decimal(0.1, 1e6),
      DEFAULT_LIMITS.idleSeconds,
    )
    .option(
      '--trainer-timeout <seconds>',
      'end a trainer that is not done with a task after so long',
      decimal(0.1, 1e6),
      DEFAULT_LIMITS.totalSeconds,
    )
    .option('--trainer-env <name>', 'let the trainer see this variable of the environment; repeatable', collect, []);
}

/** The trainer itself. */
export function withTrainerCommand(command: Command, description: string): Command {
  return withTrainerLimits(
    command
      .option('--trainer <command>', description)
      .addOption(
        new Option('--trainer-mode <mode>', 'persistent, folder (a process for each task), or auto: what it can')
          .argParser(oneOf('auto', 'persistent', 'folder'))
          .default('auto'),
      ),
  );
}

/** The trainer itself, and where its data is. */
export function withTrainer(command: Command): Command {
  return withTrainerCommand(command, 'train and evaluate with this command instead of the built-in engine').option(
    '--data <folder>',
    "with --trainer, instead of a data set: the trainer's own data, in its own form",
  );
}

/**
 * The external trainer that the options ask for; undefined: none.
 *
 * @param workFolder where its tasks lie; default: a temporary folder
 */
export function externalTrainer(
  flags: TrainerFlags,
  onLog: (line: string) => void,
  workFolder?: string,
): Omit<ExternalTrainerOptions, 'manifest'> | undefined {
  if (flags.trainer === undefined) return undefined;
  return {
    command: parseCommand(flags.trainer),
    mode: flags.trainerMode,
    limits: { idleSeconds: flags.trainerIdle, totalSeconds: flags.trainerTimeout },
    showEnvironment: flags.trainerEnv,
    onLog,
    ...(flags.data === undefined ? {} : { data: flags.data }),
    ...(workFolder === undefined ? {} : { workFolder }),
  };
}

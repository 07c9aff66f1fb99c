/** Options of the benchmark commands: `--help` says what there is, and what is not there is refused with the same text. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { AssayError } from '../protocol/errors.ts';

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: Options }>>['values'];

/**
 * The values of a command line; with `--help` prints `usage` and ends the process.
 *
 * @throws AssayError `BENCH_OPTIONS`
 */
export function readOptions<const Options extends ParseArgsOptionsConfig>(
  usage: string,
  options: Options,
): Values<Options> {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values as Values<Options>;
  } catch (error) {
    throw new AssayError('BENCH_OPTIONS', {
      summary: 'the command line cannot be read',
      expected: `one of\n${usage}`,
      received: error instanceof Error ? error.message : String(error),
      fix: 'leave the option out, or correct its name',
    });
  }
}

/** A number of an option. @throws AssayError `BENCH_NUMBER` */
export function readNumber(
  name: string,
  text: string,
  isAllowed: (value: number) => boolean,
  expected: string,
): number {
  const value = Number(text);
  if (text.trim() !== '' && isAllowed(value)) return value;
  throw new AssayError('BENCH_NUMBER', { summary: `--${name} cannot be that`, expected, received: text });
}

/** A whole number above 0. @throws AssayError `BENCH_NUMBER` */
export function readCount(name: string, text: string): number {
  return readNumber(name, text, (value) => Number.isSafeInteger(value) && value > 0, 'a whole number above 0');
}

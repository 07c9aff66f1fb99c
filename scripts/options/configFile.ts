/**
 * A config file holds a command's options under their long names. What stands on the command line wins; what is unknown
 * or of the wrong kind is refused before anything starts.
 */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { AssayError } from '../../protocol/errors.ts';

/** Adds `--config FILE` to a command and loads it before the command's action. */
export function withConfigFile(command: Command): Command {
  const required = new Set<Option>();
  return command
    .option('--config <file>', 'JSON file with options of this command by their long names')
    .on('option:config', () => {
      // Commander asks for required options before any hook runs; with a file it has to wait until that was read.
      for (const option of command.options) {
        if (option.mandatory) required.add(option);
        option.mandatory = false;
      }
    })
    .hook('preAction', (_, action) => {
      const { config } = action.opts<{ config?: string }>();
      if (config === undefined) return;
      applyConfig(action, config, readConfig(config));
      for (const option of required) {
        if (action.getOptionValue(option.attributeName()) !== undefined) continue;
        action.error(`error: required option '${option.flags}' not specified, nor in ${config}`);
      }
    });
}

function readConfig(path: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AssayError('CONFIG_FILE', {
      summary: `the config file ${path} cannot be read`,
      expected: 'a JSON object such as { "rpc-url": "http://127.0.0.1:8545" }',
      received: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Record<string, unknown>;
  }
  throw new AssayError('CONFIG_FILE', {
    summary: `the config file ${path} is not a JSON object`,
    expected: 'an object whose keys are long option names',
    received: Array.isArray(document) ? 'an array' : String(document),
  });
}

function applyConfig(command: Command, path: string, config: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(config)) {
    const option = command.options.find(({ long }) => long === `--${key}`);
    if (option === undefined || key === 'config') {
      const names = command.options.map(({ long }) => long?.slice(2)).filter((name) => name !== 'config');
      throw new AssayError('CONFIG_KEY', {
        summary: `the config file ${path} has an option that \`${command.name()}\` does not have`,
        expected: `some of: ${names.join(', ')}`,
        received: key,
      });
    }
    const attribute = option.attributeName();
    if (command.getOptionValueSource(attribute) === 'cli') continue;
    command.setOptionValueWithSource(attribute, parseValue(option, key, path, value), 'config');
  }
}

type Option = Command['options'][number];

function parseValue(option: Option, key: string, path: string, value: unknown): unknown {
  const wrong = (expected: string) =>
    new AssayError('CONFIG_VALUE', {
      summary: `the config file ${path} has a wrong value for ${key}`,
      expected,
      received: JSON.stringify(value),
    });
  if (option.isBoolean()) {
    if (typeof value !== 'boolean') throw wrong('true or false');
    return value;
  }
  const repeatable = Array.isArray(option.defaultValue);
  if (Array.isArray(value) && !repeatable) throw wrong('one value, since the option is given once');
  const texts = Array.isArray(value) ? value : [value];
  if (!texts.every((text) => typeof text === 'string' || typeof text === 'number')) {
    throw wrong('a string or a number, or a list of them for an option that may be repeated');
  }
  let parsed: unknown = option.parseArg === undefined ? texts[0] : repeatable ? [] : undefined;
  for (const text of texts) {
    if (option.parseArg === undefined) break;
    try {
      parsed = option.parseArg(String(text), parsed as never);
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw wrong(error.message.replace(/^Expected (.*)\.$/, '$1'));
      throw error;
    }
  }
  return parsed;
}

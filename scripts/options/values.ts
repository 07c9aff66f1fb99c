/**
 * Parses option values at the border: each parser gives a value that cannot be wrong, or an error that names the
 * option.
 */
import { InvalidArgumentError, Option } from 'commander';
import { parseEther } from 'viem';

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** An amount of ether, such as 1 or 0.05; in wei. */
export function ether(text: string): bigint {
  try {
    const wei = parseEther(text);
    if (wei >= 0n) return wei;
  } catch {
    // said below
  }
  throw new InvalidArgumentError('Expected an amount of ether such as 1 or 0.05.');
}

/** An option for an amount of ether. Its default is shown as text: help cannot print a bigint. */
export function etherOption(flags: string, description: string, amount: string): Option {
  return new Option(flags, description).argParser(ether).default(ether(amount), amount);
}

export function oneOf<Choice extends string>(...choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw new InvalidArgumentError(`Expected one of: ${choices.join(', ')}.`);
    return choice;
  };
}

/** For an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

export function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/$/, '');
  throw new InvalidArgumentError('Expected an http:// or https:// URL such as http://127.0.0.1:8545.');
}

export function httpUrls(text: string, before: readonly string[] = []): string[] {
  return [...before, httpUrl(text)];
}

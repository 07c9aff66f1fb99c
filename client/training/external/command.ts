import { basename } from 'node:path';
import { AssayError } from '../../../protocol/errors.ts';

/** A program and its arguments, as they are handed to the operating system: no shell in between. */
export interface TrainerCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** What log lines and messages call it: the script's name, `numpy_trainer.py`. */
  readonly name: string;
}

/**
 * Cuts a command line into words as a shell does (POSIX.1-2017, 2.2 Quoting), and nothing more: spaces part words,
 * `'...'` keeps everything, `"..."` everything but `\"` and `\\`, a backslash the next character. Variables, pipes and
 * wild cards are ordinary characters: what runs is what stands there.
 *
 * @throws AssayError TRAINER_COMMAND
 *
 * @example
 * parseCommand("python3 'my trainer.py' --device cuda").args; // ['my trainer.py', '--device', 'cuda']
 */
export function parseCommand(text: string): TrainerCommand {
  const words: string[] = [];
  let word = '';
  let begun = false;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quote !== '') {
      const escapes = quote === '"' && character === '\\' && (text[i + 1] === '"' || text[i + 1] === '\\');
      if (escapes) word += text[++i];
      else if (character === quote) quote = '';
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      begun = true;
    } else if (/\s/.test(character)) {
      if (begun) words.push(word);
      word = '';
      begun = false;
    } else {
      word += character === '\\' && i + 1 < text.length ? text[++i] : character;
      begun = true;
    }
  }
  if (quote !== '') throw refusal(text, `close the quote ${quote}`);
  if (begun) words.push(word);
  const [file, ...args] = words;
  if (file === undefined || file === '') throw refusal(text, 'name the program that trains');
  const script = args.find((arg) => /\.[A-Za-z0-9]+$/.test(arg) && !arg.startsWith('-'));
  return { file, args, name: basename(script ?? file) };
}

function refusal(text: string, fix: string): AssayError {
  return new AssayError('TRAINER_COMMAND', {
    summary: 'that is not a command',
    expected: "a program and its arguments, such as 'python3 trainer.py'",
    received: JSON.stringify(text),
    fix,
  });
}

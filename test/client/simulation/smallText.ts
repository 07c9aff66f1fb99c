/** Four small "packages" of made-up text in folders, each in words of its own; runs over it take milliseconds. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '../../../client/random.ts';
import { smallGrid } from './support.ts';

const WORDS: Readonly<Record<string, readonly string[]>> = {
  bank: ['balance', 'transfer', 'owner', 'amount'],
  clinic: ['patient', 'ward', 'dose', 'visit'],
  garden: ['seed', 'water', 'leaf', 'root'],
  harbour: ['ship', 'crane', 'tide', 'cargo'],
};
const FILES = 6;
const LINES = 20;

export async function writeSmallText(folder: string): Promise<void> {
  for (const [origin, words] of Object.entries(WORDS)) {
    await mkdir(join(folder, origin), { recursive: true });
    for (let file = 0; file < FILES; file++) {
      const random = createRandom('small text', origin, file);
      const word = () => words[Math.floor(random.nextFloat() * words.length)]!;
      const lines = Array.from({ length: LINES }, () => `${word()} = ${word()}(${word()});`);
      await writeFile(join(folder, origin, `${file}.txt`), `${lines.join('\n')}\n`);
    }
  }
}

/** Settings of a grid over that folder; one of the four participants attacks. */
export function smallTextSettings(folder: string): Record<string, unknown> {
  return {
    dataset: `text:${folder}?ext=txt&holdout=0.2`,
    tokenizer: { dataset: `text:${folder}?ext=txt`, vocabulary: 280 },
    model: { kind: 'transformer', context: 8, width: 8, layers: 1, heads: 2, feedForward: 16 },
    participants: 4,
    byzantine: 1,
    rounds: 6,
    training: { localSteps: 6, batchSize: 8, learningRate: 0.02, optimizer: 'adam', maxGradientNorm: 1 },
    rules: ['fedavg'],
    alphas: ['natural'],
  };
}

export const smallTextGrid = (folder: string, more: Record<string, unknown> = {}) =>
  smallGrid({ ...smallTextSettings(folder), ...more });

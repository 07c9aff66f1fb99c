/** What is dealt out to the participants of a simulation: samples one by one, text by whole documents. */
import { AssayError } from '../../protocol/errors.ts';
import { type Dataset, takeRows } from '../datasets/dataset.ts';
import { partitionDirichlet } from '../datasets/partition/dirichlet.ts';
import { partitionIid } from '../datasets/partition/iid.ts';
import { holdOut } from '../datasets/split.ts';
import { holdOutDocuments } from '../datasets/text/holdOutDocuments.ts';
import { encodeText } from '../datasets/text/loadText.ts';
import type { AnyDataset, TextDocument } from '../datasets/text/textDataset.ts';
import { createTokenizer } from '../datasets/text/tokenizer.ts';
import type { SeedPart } from '../random.ts';
import type { Cell } from './cell.ts';
import { isSimulatedText, type SimulatedText, type SimulationData } from './simulationData.ts';

export interface Pool {
  /** Samples or documents: its items. */
  readonly size: number;
  /** Items of each silo, ascending; every item is in exactly one. */
  divide(silos: number, alpha: Cell['alpha'], seed: SeedPart): readonly Uint32Array[];
  take(items: Uint32Array): AnyDataset;
  /** The same, with a share of them kept from training. */
  takeAndHoldOut(items: Uint32Array, share: number, seed: SeedPart): { train: AnyDataset; test: AnyDataset };
}

export function poolOf(data: SimulationData): Pool {
  return isSimulatedText(data) ? textPool(data) : samplePool(data.train);
}

function samplePool(train: Dataset): Pool {
  return {
    size: train.size,
    divide(silos, alpha, seed) {
      if (alpha === 'natural') {
        throw new AssayError('PARTITION_SPEC', {
          summary: 'samples come from nobody: there is no natural way to divide them',
          expected: 'a concentration, or iid',
          received: alpha,
        });
      }
      return alpha === 'iid' ? partitionIid(train, silos, seed) : partitionDirichlet(train, silos, alpha, seed);
    },
    take: (rows) => takeRows(train, rows),
    takeAndHoldOut: (rows, share, seed) => holdOut(takeRows(train, rows), share, seed),
  };
}

function textPool({ corpus, data }: SimulatedText): Pool {
  const { name, documents, origins, originNames } = corpus;
  const tokenizer = createTokenizer(data.tokenizer);
  const encode = (part: readonly TextDocument[]) => encodeText(`a part of ${name}`, part, tokenizer, data.context);
  const chosen = (items: Uint32Array) => Array.from(items, (item) => documents[item]!);
  const size = documents.length;
  return {
    size,
    divide(silos, alpha, seed) {
      if (alpha === 'natural') return partitionByOrigin(corpus, silos);
      // Origins in the place of labels: a number says how unlike the silos' mixtures of packages are.
      const labelled = { name, size, classes: originNames.length, y: Int32Array.from(origins) };
      return alpha === 'iid' ? partitionIid(labelled, silos, seed) : partitionDirichlet(labelled, silos, alpha, seed);
    },
    take: (items) => encode(chosen(items)),
    takeAndHoldOut(items, share, seed) {
      const { train, test } = holdOutDocuments(chosen(items), share, seed);
      return { train: encode(train), test: encode(test) };
    },
  };
}

/** Each package or folder to one silo, as the companies of the code demonstration have theirs; in turn when they are more. */
function partitionByOrigin({ name, origins, originNames }: SimulatedText['corpus'], silos: number): Uint32Array[] {
  if (originNames.length < silos) {
    throw new AssayError('PARTITION_IMPOSSIBLE', {
      summary: `${name} has fewer packages or folders than there are silos`,
      expected: `at least ${silos} for a natural division`,
      received: `${originNames.length} (${originNames.join(', ')})`,
      fix: 'use fewer participants, name more packages, or divide by a concentration or iid',
    });
  }
  const parts = Array.from({ length: silos }, (): number[] => []);
  origins.forEach((origin, item) => {
    parts[origin % silos]!.push(item);
  });
  return parts.map((items) => Uint32Array.from(items));
}

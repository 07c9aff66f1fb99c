import { AssayError } from '../../../protocol/errors.ts';
import type { SeedPart } from '../../random.ts';
import { type Dataset, takeRows } from '../dataset.ts';
import { partitionDirichlet } from './dirichlet.ts';
import { partitionIid } from './iid.ts';

/** How one data set becomes the private data of N silos. `byFile`: it does not, each silo has a file of its own. */
export type PartitionSpec =
  | { readonly kind: 'byFile' }
  | { readonly kind: 'iid' }
  | { readonly kind: 'dirichlet'; readonly alpha: number };

const EXPECTED = '`by-file`, `iid` or `dirichlet:ALPHA` with ALPHA above 0, for instance dirichlet:0.5';

/** Parses `by-file`, `iid`, `dirichlet:0.5`. @throws AssayError PARTITION_SPEC */
export function parsePartition(text: string): PartitionSpec {
  if (text === 'by-file') return { kind: 'byFile' };
  if (text === 'iid') return { kind: 'iid' };
  const match = /^dirichlet:(\d+(?:\.\d+)?)$/.exec(text);
  const alpha = Number(match?.[1]);
  if (match !== null && alpha > 0) return { kind: 'dirichlet', alpha };
  throw new AssayError('PARTITION_SPEC', {
    summary: 'that is not a way to partition data',
    expected: EXPECTED,
    received: JSON.stringify(text),
    fix: 'write one of the three',
  });
}

/**
 * The data of one silo. Every silo computes the same partition from the same seed and takes its own part.
 *
 * @param silo 0-based
 * @throws AssayError SILO_RANGE, PARTITION_IMPOSSIBLE
 */
export function takeSilo(dataset: Dataset, spec: PartitionSpec, silo: number, silos: number, seed: SeedPart): Dataset {
  if (spec.kind === 'byFile') return dataset;
  if (!Number.isInteger(silo) || !Number.isInteger(silos) || silo < 0 || silo >= silos) {
    throw new AssayError('SILO_RANGE', {
      summary: 'there is no silo of that number',
      expected: `an integer from 0 to ${silos - 1}`,
      received: String(silo),
      fix: 'silos are counted from 0',
    });
  }
  const parts =
    spec.kind === 'iid' ? partitionIid(dataset, silos, seed) : partitionDirichlet(dataset, silos, spec.alpha, seed);
  return takeRows(dataset, parts[silo]!, `${dataset.name} silo ${silo} of ${silos}`);
}

/** Whose code the silos of the code demonstration hold: one installed package each. */
import type { DemoOptions } from '../demoOptions.ts';

export interface CodeSilo {
  readonly name: string;
  /** Ending of the package's own sources. */
  readonly extension: string;
}

/** In the order in which clients take them; all are installed with Assay. */
export const CODE_SILOS: readonly CodeSilo[] = [
  { name: '@openzeppelin/contracts', extension: 'sol' },
  { name: 'viem', extension: 'ts' },
  { name: 'ethers', extension: 'ts' },
  { name: 'zod', extension: 'ts' },
  { name: 'hardhat', extension: 'ts' },
  { name: 'mocha', extension: 'js' },
  { name: '@noble/curves', extension: 'ts' },
  { name: 'kubo-rpc-client', extension: 'ts' },
];

/** Bytes of one silo, held-out files included. */
const SILO_BYTES = 300_000;

export function silosOf({ clients }: Pick<DemoOptions, 'clients'>): readonly CodeSilo[] {
  return CODE_SILOS.slice(0, clients);
}

/** The data set of some silos together. */
export function corpusOf(silos: readonly CodeSilo[]): string {
  return `package:${silos.map(({ name, extension }) => `${name}:${extension}`).join(',')}?limit=${SILO_BYTES}`;
}

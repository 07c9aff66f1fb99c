import type { SeedPart } from '../../random.ts';
import type { PackageSpec } from '../packages/packageSpec.ts';
import { readPackage } from '../packages/readPackage.ts';
import { holdOutDocuments } from './holdOutDocuments.ts';
import { readFolder } from './readFolder.ts';
import type { TextDocument } from './textDataset.ts';
import type { TextSpec } from './textSpec.ts';

/** Text of many origins, as documents that can be dealt out. */
export interface Corpus {
  /** For messages. */
  readonly name: string;
  /** To train on, those of one origin one after the other. */
  readonly documents: readonly TextDocument[];
  /** Of each of them, its origin: an index. */
  readonly origins: readonly number[];
  /** Packages, or folders at the top of one folder (`.` for files that lie beside them). */
  readonly originNames: readonly string[];
  /** Of all origins. */
  readonly heldOut: readonly TextDocument[];
}

/**
 * All text of a data set. What is held out of several packages is what each would hold out alone, so a package's documents
 * are those of a participant that reads only it.
 *
 * @throws AssayError HOLD_OUT, and as reading does
 */
export async function loadCorpus(spec: TextSpec | PackageSpec, seed: SeedPart): Promise<Corpus> {
  if (spec.kind === 'text') {
    const { train, test } = holdOutDocuments(await readFolder(spec.folder, spec.extensions), spec.holdOut, seed);
    const folders = train.map(({ name }) => (name.includes('/') ? name.slice(0, name.indexOf('/')) : '.'));
    const originNames = [...new Set(folders)];
    const place = new Map(originNames.map((name, i) => [name, i]));
    const origins = folders.map((name) => place.get(name)!);
    return { name: `text:${spec.folder}`, documents: train, origins, originNames, heldOut: test };
  }
  const originNames = spec.packages.map(({ name }) => name);
  const documents: TextDocument[] = [];
  const origins: number[] = [];
  const heldOut: TextDocument[] = [];
  for (const [origin, { name, extensions }] of spec.packages.entries()) {
    const own = holdOutDocuments(await readPackage(name, extensions, spec.limit, seed), spec.holdOut, seed);
    for (const document of own.train) {
      documents.push(document);
      origins.push(origin);
    }
    heldOut.push(...own.test);
  }
  return { name: `packages ${originNames.join(', ')}`, documents, origins, originNames, heldOut };
}

import type { SeedPart } from '../../random.ts';
import type { PackageSpec } from '../packages/packageSpec.ts';
import { readPackage } from '../packages/readPackage.ts';
import { readFolder } from './readFolder.ts';
import type { TextDocument } from './textDataset.ts';
import type { TextSpec } from './textSpec.ts';

/**
 * All files of a data set of text, none held out.
 *
 * @param seed chooses among a package's files, where its limit leaves some out
 * @throws AssayError PACKAGE_MISSING, PACKAGE_EMPTY, DATASET_FILE
 */
export async function readDocuments(spec: TextSpec | PackageSpec, seed: SeedPart): Promise<TextDocument[]> {
  if (spec.kind === 'text') return readFolder(spec.folder, spec.extensions);
  const documents: TextDocument[] = [];
  for (const { name, extensions } of spec.packages) {
    documents.push(...(await readPackage(name, extensions, spec.limit, seed)));
  }
  return documents;
}

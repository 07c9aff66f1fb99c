import type { TextData } from '../../../protocol/encoding/manifest.ts';
import type { SeedPart } from '../../random.ts';
import { splitText } from '../text/loadText.ts';
import type { TextDocument, TextSplit } from '../text/textDataset.ts';
import type { PackageSpec } from './packageSpec.ts';
import { readPackage } from './readPackage.ts';

/**
 * The text of installed packages in the tokens and windows of a manifest. Of several packages it is the union of what
 * each would be alone: the same files, held out or not.
 *
 * @throws AssayError as its parts do
 */
export async function loadPackages(
  { packages, limit, holdOut }: PackageSpec,
  data: TextData,
  seed: SeedPart,
): Promise<TextSplit> {
  const documents: TextDocument[] = [];
  for (const { name, extensions } of packages) documents.push(...(await readPackage(name, extensions, limit, seed)));
  const names = packages.map(({ name }) => name).join(', ');
  return splitText(`packages ${names}`, documents, holdOut, data, seed);
}

/** The federation's manifest, fetched by the CID that its contract names. */
import type { Federation } from '../../chain/federation.ts';
import { pause } from '../../chain/followRounds.ts';
import { cidFromBytes } from '../../protocol/encoding/cid.ts';
import { type Manifest, manifestDimension, parseManifest } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';

const MAX_MANIFEST_BYTES = 2 ** 20;
const RETRY_PAUSE_MS = 500;

/**
 * Waits for a peer that has it, since the node that deployed the federation may still be starting.
 * @throws AssayError `MANIFEST`, `MANIFEST_DIMENSION`, or the last `PAYLOAD_UNAVAILABLE` when `signal` fires.
 */
export async function fetchManifest(
  federation: Federation,
  payloads: PayloadAccess,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<Manifest> {
  const cid = cidFromBytes(federation.parameters.manifestCid);
  for (let attempt = 1; ; attempt++) {
    try {
      await payloads.fetch(cid, { maxBytes: MAX_MANIFEST_BYTES });
      break;
    } catch (error) {
      if (!(error instanceof AssayError) || error.code !== 'PAYLOAD_UNAVAILABLE' || signal.aborted) throw error;
      if (attempt === 1) say(`waiting for a peer that serves the manifest ${cid}`);
      await pause(RETRY_PAUSE_MS, signal);
    }
  }
  const manifest = parseManifest(await payloads.store.readAll(cid, { maxBytes: MAX_MANIFEST_BYTES }));
  const { dimension } = federation.parameters;
  if (manifestDimension(manifest) !== dimension) {
    throw new AssayError('MANIFEST_DIMENSION', {
      summary: 'the manifest and the contract disagree about the size of the model',
      expected: `${dimension} coordinates, as the contract says`,
      received: `${manifestDimension(manifest)} in the manifest ${cid}`,
      fix: 'the federation was deployed wrongly; do not join it',
    });
  }
  return manifest;
}

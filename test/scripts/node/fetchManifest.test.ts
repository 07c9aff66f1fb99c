import { expect } from 'chai';
import type { Federation } from '../../../chain/federation.ts';
import { tabularMlp } from '../../../client/models/presets.ts';
import { cidToBytes, payloadCid } from '../../../protocol/encoding/cid.ts';
import { encodeManifest, manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { fetchManifest } from '../../../scripts/node/fetchManifest.ts';
import type { PayloadAccess } from '../../../storage/payloadAccess.ts';
import { expectError } from '../../client/support/expectError.ts';

const { manifest } = tabularMlp('north', { features: 4, classes: 2, hidden: 8 });
const BYTES = encodeManifest(manifest);
const DIMENSION = manifestDimension(manifest);

describe("a federation's manifest", () => {
  /** Fetches it from peers that fail as told, as often as there are failures, and then give it. */
  function fetch(failures: readonly string[], dimension = DIMENSION, signal = new AbortController().signal) {
    const said: string[] = [];
    const left = [...failures];
    const federation = { parameters: { manifestCid: cidToBytes(payloadCid(BYTES)), dimension } };
    const payloads = {
      fetch: async () => {
        const code = left.shift();
        if (code !== undefined) throw new AssayError(code, { summary: 'not now' });
      },
      store: { readAll: async () => BYTES },
    };
    const fetched = fetchManifest(
      federation as unknown as Federation,
      payloads as unknown as PayloadAccess,
      signal,
      (text) => said.push(text),
    );
    return { fetched, said };
  }

  it('is waited for, with one word about it, while the node that has it is still starting', async () => {
    const { fetched, said } = fetch(['PAYLOAD_UNAVAILABLE', 'PAYLOAD_UNAVAILABLE']);
    expect(await fetched).to.deep.equal(manifest);
    expect(said).to.have.length(1);
    expect(said[0]).to.match(/^waiting for a peer that serves the manifest bafk/);
  });

  it('is not waited for when something else is wrong, nor once the node was told to stop', async () => {
    await expectError(() => fetch(['PAYLOAD_TOO_LARGE']).fetched, 'PAYLOAD_TOO_LARGE');
    const stopped = fetch(['PAYLOAD_UNAVAILABLE'], DIMENSION, AbortSignal.abort());
    await expectError(() => stopped.fetched, 'PAYLOAD_UNAVAILABLE');
    expect(stopped.said).to.deep.equal([]);
  });

  it('of a model of another size than the contract says is refused', async () => {
    const text = new RegExp(`${DIMENSION + 1} coordinates[\\s\\S]*${DIMENSION} in the manifest[\\s\\S]*do not join it`);
    await expectError(() => fetch([], DIMENSION + 1).fetched, 'MANIFEST_DIMENSION', text);
  });
});

import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { expect } from 'chai';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { base32 } from 'multiformats/bases/base32';
import { cidFromBytes, cidToBytes, parseCid, parseCidBytes, payloadCid } from '../../../protocol/encoding/cid.ts';
import {
  blockCid,
  DAG_PB_CODEC,
  decodeFileNode,
  encodeFileNode,
  type FileLink,
  type FilePlace,
  LEAF_BYTES,
  NODE_LINKS,
  treeHeight,
  UnixfsFileBuilder,
} from '../../../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../../../protocol/errors.ts';

const HELLO = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';

/** The byte stream of Kubo's own fixtures: ChaCha20 key stream, key SHA-256(seed), zero nonce and counter. */
function* keyStream(seed: string, bytes: number): Generator<Uint8Array> {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * LEAF_BYTES);
  for (let left = bytes; left > 0; left -= zeros.length)
    yield cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
}

function cidOf(pieces: Iterable<Uint8Array>): string {
  const builder = new UnixfsFileBuilder();
  for (const piece of pieces) builder.write(piece);
  return builder.finish().cid;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).to.be.instanceOf(AssayError);
    return (error as AssayError).code;
  }
  return 'no error';
}

describe('payload CIDs (unixfs-v1-2025)', () => {
  // The file vectors of Kubo's own tests (test/cli/cid_profiles_test.go) and of js-ipfs-unixfs for the same profile.
  const vectors: [name: string, seed: string, bytes: number, cid: string][] = [
    ['a full leaf', 'chunk-v1-seed', LEAF_BYTES, 'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta'],
    [
      'one byte over a leaf',
      'chunk-v1-seed',
      LEAF_BYTES + 1,
      'bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64',
    ],
    [
      'a full node, 1 GiB',
      'v1-2025-seed',
      1024 * LEAF_BYTES,
      'bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm',
    ],
    [
      'one leaf over a node',
      'v1-2025-seed',
      1025 * LEAF_BYTES,
      'bafybeihmzokxxjqwxjcryerhp5ezpcog2wcawfryb2xm64xiakgm4a5jue',
    ],
  ];
  it('is the known CID for hello world and for the empty file', () => {
    expect(payloadCid(new TextEncoder().encode('hello world'))).to.equal(HELLO);
    expect(payloadCid(new Uint8Array(0))).to.equal('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku');
  });
  for (const [name, seed, bytes, cid] of vectors) {
    it(`equals Kubo's vector: ${name}`, function () {
      this.timeout(120_000);
      expect(cidOf(keyStream(seed, bytes))).to.equal(cid);
    });
  }

  it('does not depend on how the bytes are cut', () => {
    const bytes = randomBytes(2 * LEAF_BYTES + 12_345);
    const whole = payloadCid(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 8 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
        expect(cidOf(pieces)).to.equal(whole);
      }),
      { numRuns: 12 },
    );
  });

  it('gives the nodes children first, and each decodes to what it says', () => {
    const nodes: { cid: string; bytes: Uint8Array }[] = [];
    const builder = new UnixfsFileBuilder((node) => nodes.push(node));
    builder.write(new Uint8Array(3 * LEAF_BYTES + 5));
    const { cid, fileBytes } = builder.finish();
    expect(nodes.map((node) => node.cid)).to.deep.equal([cid]);
    const root = decodeFileNode(cid, nodes[0]?.bytes as Uint8Array);
    expect(root).to.include({ fileBytes, height: 1 });
    expect(root.links.map((link) => link.fileBytes)).to.deep.equal([LEAF_BYTES, LEAF_BYTES, LEAF_BYTES, 5]);
    expect(encodeFileNode(root.links)).to.deep.equal(nodes[0]?.bytes);
  });

  it('knows the height of a tree from the size alone', () => {
    const gib = LEAF_BYTES * NODE_LINKS;
    expect([0, 1, LEAF_BYTES, LEAF_BYTES + 1, gib, gib + 1, gib * 1024, gib * 1024 + 1].map(treeHeight)).to.deep.equal([
      0, 0, 0, 1, 1, 2, 2, 3,
    ]);
  });
});

describe('decodeFileNode', () => {
  const leaf = (fileBytes: number): FileLink => ({ cid: HELLO, fileBytes, blockBytes: fileBytes });
  const decode = (links: FileLink[], place?: FilePlace): unknown => {
    const bytes = encodeFileNode(links);
    return decodeFileNode(blockCid(DAG_PB_CODEC, bytes), bytes, place);
  };

  it('accepts the shape of the profile', () => {
    expect(decode([leaf(LEAF_BYTES), leaf(1)])).to.include({ fileBytes: LEAF_BYTES + 1 });
  });
  it('refuses other chunk sizes, short middles, a node for one leaf, empty nodes and endless claims', () => {
    const wrong: FileLink[][] = [
      [leaf(262_144), leaf(262_144), leaf(262_144), leaf(262_144), leaf(1)],
      [leaf(1), leaf(LEAF_BYTES)],
      [leaf(LEAF_BYTES)],
      [],
      [leaf(LEAF_BYTES), leaf(0)],
      [leaf(2 ** 52), leaf(2 ** 52)],
      // a raw leaf that claims the size of a whole node below it
      [leaf(LEAF_BYTES * NODE_LINKS), leaf(1)],
    ];
    for (const links of wrong)
      expect(
        codeOf(() => decode(links)),
        JSON.stringify(links),
      ).to.equal('UNIXFS_NODE');
  });
  it('refuses a child that is not what its parent promised', () => {
    const links = [leaf(LEAF_BYTES), leaf(1)];
    const blockBytes = encodeFileNode(links).length + LEAF_BYTES + 1;
    const promise: FilePlace = { fileBytes: LEAF_BYTES + 1, blockBytes, height: 1 };
    expect(decode(links, promise)).to.include({ fileBytes: LEAF_BYTES + 1 });
    for (const broken of [{ fileBytes: LEAF_BYTES + 2 }, { height: 2 }, { blockBytes: blockBytes - 1 }]) {
      expect(
        codeOf(() => decode(links, { ...promise, ...broken })),
        JSON.stringify(broken),
      ).to.equal('UNIXFS_NODE');
    }
  });
  it('refuses a second encoding of the same file: one payload has one CID', () => {
    const links = [leaf(LEAF_BYTES), leaf(1)];
    const { Data, Links } = dagPb.decode(encodeFileNode(links));
    const named = dagPb.encode({ Data: Data as Uint8Array, Links: Links.map((link) => ({ ...link, Name: 'x' })) });
    const fat = dagPb.encode({ Data: Data as Uint8Array, Links: Links.map((link) => ({ ...link, Tsize: 7 })) });
    const dated = new UnixFS({ type: 'file', blockSizes: [BigInt(LEAF_BYTES), 1n], mtime: { secs: 1n } });
    const withTime = dagPb.encode({ Data: dated.marshal(), Links });
    for (const bytes of [named, fat, withTime]) {
      expect(codeOf(() => decodeFileNode(blockCid(DAG_PB_CODEC, bytes), bytes))).to.equal('UNIXFS_NODE');
    }
  });
  it('refuses noise without crashing', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (noise) => codeOf(() => decodeFileNode(HELLO, noise)) === 'UNIXFS_NODE',
      ),
    );
    expect(codeOf(() => decodeFileNode(HELLO, new Uint8Array(70_000)))).to.equal('UNIXFS_NODE');
  });
});

describe('parseCid', () => {
  it('turns text into the 36 bytes of the contract and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constantFrom(0x55, 0x70), (digest, codec) => {
        const bytes = Uint8Array.from([1, codec, 0x12, 0x20, ...digest]);
        const text = cidFromBytes(bytes);
        expect(text)
          .to.match(codec === 0x55 ? /^bafkrei/ : /^bafybei/)
          .and.to.have.length(59);
        expect(cidToBytes(text)).to.deep.equal(bytes);
        expect(parseCid(text)).to.deep.equal({ text, codec: codec === 0x55 ? 'raw' : 'dag-pb', digest, bytes });
      }),
    );
  });

  it('refuses everything else with one message that says what a CID is', () => {
    const bytes = cidToBytes(HELLO);
    const change = (index: number, value: number): string =>
      base32.encode(Uint8Array.from(bytes, (b, i) => (i === index ? value : b)));
    const texts = [
      '',
      'hello',
      HELLO.toUpperCase(),
      `${HELLO} `,
      HELLO.slice(0, -1),
      `${HELLO}a`,
      `${HELLO}=`,
      `${HELLO}======`,
      `${HELLO.slice(0, -1)}f`, // the same 36 bytes, but bits set in the padding
      `z${HELLO.slice(1)}`,
      'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
      change(0, 2),
      change(1, 0x71),
      change(2, 0x13),
      change(3, 31),
      'b'.repeat(10_000),
    ];
    for (const text of texts) {
      expect(
        codeOf(() => parseCid(text)),
        text.slice(0, 70),
      ).to.equal('CID_INVALID');
    }
    expect(() => parseCid('Qmabc')).to.throw('ipfs cid base32');
    expect(() => parseCid('x'.repeat(500))).to.throw(/Expected: a CIDv1.*\n *Received: .{0,120}\n *To do:/);
    expect(codeOf(() => parseCidBytes(bytes.subarray(1)))).to.equal('CID_INVALID');
    expect(codeOf(() => parseCidBytes(new Uint8Array(0)))).to.equal('CID_INVALID');
  });
});

#!/usr/bin/env python3
"""Writes the test vectors of the protocol: python3 test/vectors/generate.py

A second, independent implementation of everything the vectors hold: plain integers of any size, hashlib's SHA-256, its own
Keccak-256, no package, nothing read from protocol/ or contracts/. It follows docs/spec/. `--check` writes nothing and fails
when a file differs from what it would write.
"""
import hashlib
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
U64_MAX = 2**64 - 1
ZERO32 = bytes(32)

# ---------------------------------------------------------------------------------------------------- hashes


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def keccak256(data):
    """Keccak-256 with the original padding (not SHA3-256): https://keccak.team/keccak_specs_summary.html"""
    rate = 136
    rotation = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]
    constants, lfsr = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if lfsr & 1:
                constant |= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
        constants.append(constant)

    def rotate(x, k):
        return ((x << k) | (x >> (64 - k))) & U64_MAX if k else x

    state = [[0] * 5 for _ in range(5)]
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i % 5][i // 5] ^= struct.unpack_from("<Q", padded, start + 8 * i)[0]
        for constant in constants:
            c = [state[x][0] ^ state[x][1] ^ state[x][2] ^ state[x][3] ^ state[x][4] for x in range(5)]
            d = [c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            b = [[0] * 5 for _ in range(5)]
            for x in range(5):
                for y in range(5):
                    b[y][(2 * x + 3 * y) % 5] = rotate(state[x][y] ^ d[x], rotation[x][y])
            state = [[b[x][y] ^ (~b[(x + 1) % 5][y] & U64_MAX & b[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
            state[0][0] ^= constant
    return b"".join(struct.pack("<Q", state[i % 5][i // 5]) for i in range(4))


assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def u64(x):
    return struct.pack(">Q", x)


def word(x):
    """One ABI word: an unsigned integer, an address or a bytes32."""
    return x.to_bytes(32, "big") if isinstance(x, int) else x.rjust(32, b"\0")


def hexed(data):
    return "0x" + data.hex()


def stream(label):
    """Endless reproducible bytes."""
    counter = 0
    while True:
        yield from hashlib.sha256(f"{label}/{counter}".encode()).digest()
        counter += 1


def some_bytes(label, count):
    source = stream(label)
    return bytes(next(source) for _ in range(count))


def some_ints(label, count, low, high):
    raw = some_bytes(label, 4 * count)
    return [low + int.from_bytes(raw[4 * i : 4 * i + 4], "big") % (high - low + 1) for i in range(count)]


# ---------------------------------------------------------------------------------------------------- trees


def pad(vector, chunk_size):
    return vector + [0] * (-len(vector) % chunk_size)


def chunks_of(vector, chunk_size, code):
    padded = pad(list(vector), chunk_size)
    return [struct.pack(f"<{chunk_size}{code}", *padded[i : i + chunk_size]) for i in range(0, len(padded), chunk_size)]


def depth_of(leaves):
    return (leaves - 1).bit_length()


def squares(chunk):
    return sum(x * x for (x,) in struct.iter_unpack("<h", chunk))


def sum_leaf(chunk, claimed=None):
    total = squares(chunk) if claimed is None else claimed
    return (sha(b"\x00", u64(total), chunk), total)


def sum_node(left, right):
    return (sha(b"\x01", left[0], u64(left[1]), right[0], u64(right[1])), left[1] + right[1])


def model_leaf(chunk):
    return sha(b"\x02", chunk)


def model_node(left, right):
    return sha(b"\x03", left, right)


def tree(leaves, depth, zero, join):
    """All levels, leaves first, each complete."""
    level = list(leaves) + [zero] * (2**depth - len(leaves))
    levels = [level]
    while len(level) > 1:
        level = [join(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        levels.append(level)
    return levels


def path_of(levels, index):
    path = []
    for level in levels[:-1]:
        path.append(level[index ^ 1])
        index >>= 1
    return path


def sum_tree(chunks):
    return tree([sum_leaf(c) for c in chunks], depth_of(len(chunks)), (ZERO32, 0), sum_node)


def model_tree(chunks):
    return tree([model_leaf(c) for c in chunks], depth_of(len(chunks)), ZERO32, model_node)


def model_root(vector, chunk_size):
    return model_tree(chunks_of(vector, chunk_size, "i"))[-1][0]


# ---------------------------------------------------------------------------------------------------- merkleSum.json


def payloads():
    """(name, chunk size, update coordinates, indices of the proofs)"""
    return [
        ("one coordinate, one chunk", 16, [-3], [0]),
        ("one full chunk", 16, list(range(1, 17)), [0]),
        ("one chunk of zeros", 16, [0] * 16, [0]),
        ("two chunks", 16, some_ints("two", 32, -9, 9), [0, 1]),
        ("three chunks: one padding leaf", 16, some_ints("three", 48, -500, 500), [0, 1, 2]),
        ("d not a multiple of K: five chunks, three padding leaves", 16, some_ints("five", 70, -32767, 32767), [0, 3, 4]),
        ("every coordinate the least int16", 16, [-32768] * 64, [0, 3]),
        ("extremes in turn", 32, [32767, -32767, -32768, 32767] * 20 + [1], [0, 2]),
        ("equal chunks at every position", 16, [7] * 64, [0, 1, 2, 3]),
        ("the default chunk size", 256, some_ints("default", 600, -4096, 4096), [0, 1, 2]),
        ("the largest chunks of the vectors", 512, some_ints("large", 1030, -32768, 32767), [0, 2]),
        ("seventeen chunks: depth five", 16, some_ints("deep", 16 * 17, -100, 100), [0, 7, 15, 16]),
    ]


def sum_fields(root, norm_sq, chunk_size, count, depth, index, chunk, path):
    return {
        "chunkSize": chunk_size,
        "chunkCount": count,
        "depth": depth,
        "root": hexed(root),
        "normSq": str(norm_sq),
        "index": index,
        "chunk": hexed(chunk),
        "pathHashes": [hexed(h) for h, _ in path],
        "pathSums": [str(s) for _, s in path],
    }


def merkle_sum():
    cases, refused = [], []
    for name, chunk_size, vector, indices in payloads():
        chunks = chunks_of(vector, chunk_size, "h")
        levels = sum_tree(chunks)
        root, norm_sq = levels[-1][0]
        assert norm_sq == sum(x * x for x in vector)
        proofs = []
        for index in indices:
            path = path_of(levels, index)
            proofs.append(
                {
                    "index": index,
                    "chunk": hexed(chunks[index]),
                    "pathHashes": [hexed(h) for h, _ in path],
                    "pathSums": [str(s) for _, s in path],
                }
            )
        cases.append(
            {
                "name": name,
                "dimension": len(vector),
                "chunkSize": chunk_size,
                "chunkCount": len(chunks),
                "depth": len(levels) - 1,
                "payload": hexed(b"".join(chunks)),
                "root": hexed(root),
                "normSq": str(norm_sq),
                "proofs": proofs,
            }
        )

    # Every refused proof is a good one with one thing changed; where the tree itself is hostile, all hashes fit.
    vector = some_ints("refused", 16 * 6, -1000, 1000)
    chunks = chunks_of(vector, 16, "h")
    levels = sum_tree(chunks)
    root, norm_sq = levels[-1][0]
    index, depth, count = 2, 3, len(chunks)
    path = path_of(levels, index)
    chunk = chunks[index]

    def refuse(name, reason, **changed):
        good = dict(root=root, norm_sq=norm_sq, chunk_size=16, count=count, depth=depth, index=index, chunk=chunk, path=path)
        refused.append({"name": name, "reason": reason, **sum_fields(**{**good, **changed})})

    def with_sum(k, value):
        return [(h, value if i == k else s) for i, (h, s) in enumerate(path)]

    refuse("wrong index: the sibling's", "a proof opens one position only", index=3)
    refuse("wrong index: far away", "a proof opens one position only", index=0)
    refuse("index beyond the tree", "the index must be fully consumed", index=index + 2**depth)
    refuse("index far beyond the tree", "the index must be fully consumed", index=index + 2**20)
    refuse("truncated path", "the path has exactly depth siblings", path=path[:-1])
    refuse("empty path", "the path has exactly depth siblings", path=[])
    refuse("path with one sibling too many", "the path has exactly depth siblings", path=path + [(ZERO32, 0)])
    refuse("swapped siblings", "the siblings are ordered from the leaf up", path=[path[1], path[0], path[2]])
    refuse("altered chunk", "the leaf hashes every byte", chunk=bytes([chunk[0] ^ 1]) + chunk[1:])
    refuse("chunk of another leaf", "the leaf is not there", chunk=chunks[3])
    refuse("chunk too short", "a chunk has 2K bytes", chunk=chunk[:-2])
    refuse("chunk too long", "a chunk has 2K bytes", chunk=chunk + b"\0\0")
    refuse("altered sibling hash", "the path does not lead to the root", path=[(bytes([path[0][0][0] ^ 128]) + path[0][0][1:], path[0][1])] + path[1:])
    refuse("altered sum of the lowest sibling", "a node hashes both sums", path=with_sum(0, path[0][1] + 1))
    refuse("altered sum of the highest sibling", "a node hashes both sums", path=with_sum(2, path[2][1] - 1))
    refuse("sums moved between siblings, same total", "a node hashes both sums", path=[(path[0][0], path[0][1] + 5), (path[1][0], path[1][1] - 5), path[2]])
    refuse("normSq too small", "normSq is the sum of the whole tree", norm_sq=norm_sq - 1)
    refuse("normSq too large", "normSq is the sum of the whole tree", norm_sq=norm_sq + 1)
    refuse("normSq of zero", "normSq is the sum of the whole tree", norm_sq=0)
    refuse("altered root", "the path does not lead to the root", root=bytes([root[0] ^ 1]) + root[1:])
    refuse("zero root", "the zero root commits to nothing", root=ZERO32)
    single = sum_leaf(chunk)
    refuse("zero root, depth zero", "the zero root commits to nothing", root=ZERO32, norm_sq=0, depth=0, count=1, index=0, chunk=bytes(32), path=[])
    refuse("depth zero, wrong normSq", "normSq is the leaf's sum", root=single[0], norm_sq=single[1] + 1, depth=0, count=1, index=0, path=[])
    refuse("depth zero, index one", "the index must be fully consumed", root=single[0], norm_sq=single[1], depth=0, count=1, index=1, path=[])
    refuse("depth one more than the tree's", "the depth is the layout's", depth=depth + 1, count=9)
    refuse("depth one more, a zero sibling added", "the depth is the layout's", depth=depth + 1, count=9, path=path + [(ZERO32, 0)])
    refuse("depth one less, path truncated", "the depth is the layout's", depth=depth - 1, count=3, path=path[:-1])
    left, right = levels[0][2], levels[0][3]
    body = left[0] + u64(left[1]) + right[0] + u64(right[1])
    refuse("a node's preimage as a leaf", "a chunk has 2K bytes, leaves and nodes have different tags", index=1, depth=depth - 1, count=3, chunk=body, path=path[1:])
    refuse("the sum in front of a leaf as a chunk", "a chunk has 2K bytes", chunk=u64(left[1]) + chunk)

    # Hostile trees: hashed consistently, but one sum is a lie.
    lie = [sum_leaf(c) for c in chunks]
    lie[index] = sum_leaf(chunk, claimed=0)
    lying = tree(lie, depth, (ZERO32, 0), sum_node)
    refuse("a leaf that hashes a false sum", "the leaf's sum is recomputed", root=lying[-1][0][0], norm_sq=lying[-1][0][1], path=path_of(lying, index))
    refuse("a leaf that hashes a false sum, true normSq", "the leaf's sum is recomputed", root=lying[-1][0][0], path=path_of(lying, index))

    def wrapping(a, b):
        total = (a[1] + b[1]) & U64_MAX
        return (sum_node(a, b)[0], total)

    # The tree of an attacker who computes modulo 2^64: a huge sum beside a true one, and a small norm on top.
    big = (some_bytes("big", 32), U64_MAX - left[1] - right[1] + 2)
    node = wrapping(wrapping(left, right), big)
    top = wrapping(node, (some_bytes("other", 32), 3))
    refuse("sums that overflow 64 bits", "sums are range-checked, not reduced modulo 2^64", root=top[0], norm_sq=top[1], path=[right, big, (some_bytes("other", 32), 3)])
    huge = (some_bytes("huge", 32), U64_MAX)
    over = wrapping(left, huge)
    refuse("the largest sum beside a leaf", "sums are range-checked, not reduced modulo 2^64", root=over[0], norm_sq=over[1], depth=1, count=2, index=0, path=[huge])
    assert top[1] == 4 and over[1] == left[1] - 1
    # And a tree whose inner node claims less than its children: only the sums of the path can show it.
    inner = sum_node(left, right)
    shrunk = sum_node((inner[0], 1), (ZERO32, 0))
    refuse("an inner node that claims less than its children", "a node's sum is recomputed from its children", root=shrunk[0], norm_sq=1, depth=2, count=3, index=0, path=[right, (ZERO32, 0)])
    # Consistent trees over something that is no update of the layout: only who knows K and the number of chunks can refuse.
    by_layout = []
    other = sum_leaf(chunks[1])
    for name, reason, leaf in [
        ("a leaf of one coordinate less", "a chunk has 2K bytes", chunk[:-2]),
        ("a leaf of one coordinate more", "a chunk has 2K bytes", chunk + b"\7\0"),
        ("a leaf with an odd byte more", "a chunk has 2K bytes", chunk + b"\7"),
        ("an empty leaf", "a chunk has 2K bytes", b""),
    ]:
        odd = (sha(b"\x00", u64(squares(leaf[: len(leaf) // 2 * 2])), leaf), squares(leaf[: len(leaf) // 2 * 2]))
        top = sum_node(odd, other)
        fields = sum_fields(top[0], top[1], 16, 2, 1, 0, leaf, [other])
        by_layout.append({"name": name, "reason": reason, **fields})
    full = sum_tree(chunks_of([5] * 64, 16, "h"))
    fields = sum_fields(*full[-1][0], 16, 3, 2, 3, struct.pack("<16h", *[5] * 16), path_of(full, 3))
    by_layout.append({"name": "a chunk in the padding of the tree", "reason": "index < chunkCount", **fields})
    about = "Merkle-sum commitments of updates: docs/spec/commitments.md"
    return {"about": about, "cases": cases, "refused": refused, "refusedByLayout": by_layout}


# ---------------------------------------------------------------------------------------------------- merkle.json


def merkle():
    cases, refused = [], []
    vectors = [
        ("one coordinate, one chunk", 16, [-1], [0]),
        ("one chunk of zeros", 16, [0] * 16, [0]),
        ("two chunks", 16, some_ints("m two", 32, -(2**31), 2**31 - 1), [0, 1]),
        ("d not a multiple of K: three chunks, one padding leaf", 16, some_ints("m three", 37, -(2**31), 2**31 - 1), [0, 1, 2]),
        ("extremes", 32, [2**31 - 1, -(2**31)] * 40, [0, 2]),
        ("equal chunks at every position", 16, [9] * 64, [0, 1, 2, 3]),
        ("the default chunk size", 256, some_ints("m default", 513, -(2**24), 2**24), [0, 2]),
        ("the largest chunks of the vectors", 512, some_ints("m large", 600, -(2**24), 2**24), [0, 1]),
        ("nine chunks: depth four", 16, some_ints("m deep", 140, -100, 100), [0, 6, 7, 8]),
    ]
    for name, chunk_size, vector, indices in vectors:
        chunks = chunks_of(vector, chunk_size, "i")
        levels = model_tree(chunks)
        cases.append(
            {
                "name": name,
                "dimension": len(vector),
                "chunkSize": chunk_size,
                "chunkCount": len(chunks),
                "depth": len(levels) - 1,
                "payload": hexed(b"".join(chunks)),
                "root": hexed(levels[-1][0]),
                "proofs": [
                    {"index": i, "chunk": hexed(chunks[i]), "pathHashes": [hexed(h) for h in path_of(levels, i)]} for i in indices
                ],
            }
        )
    vector = some_ints("m refused", 16 * 6, -(2**30), 2**30)
    chunks = chunks_of(vector, 16, "i")
    levels = model_tree(chunks)
    index, depth = 2, 3
    good = dict(chunkSize=16, chunkCount=6, depth=depth, root=levels[-1][0], index=index, chunk=chunks[index], path=path_of(levels, index))
    path = good["path"]

    def refuse(name, reason, **changed):
        f = {**good, **changed}
        refused.append(
            {
                "name": name,
                "reason": reason,
                "chunkSize": f["chunkSize"],
                "chunkCount": f["chunkCount"],
                "depth": f["depth"],
                "root": hexed(f["root"]),
                "index": f["index"],
                "chunk": hexed(f["chunk"]),
                "pathHashes": [hexed(h) for h in f["path"]],
            }
        )

    root, chunk = good["root"], good["chunk"]
    refuse("wrong index: the sibling's", "a proof opens one position only", index=3)
    refuse("wrong index: far away", "a proof opens one position only", index=0)
    refuse("index beyond the tree", "the index must be fully consumed", index=index + 2**depth)
    refuse("truncated path", "the path has exactly depth siblings", path=path[:-1])
    refuse("empty path", "the path has exactly depth siblings", path=[])
    refuse("path with one sibling too many", "the path has exactly depth siblings", path=path + [ZERO32])
    refuse("swapped siblings", "the siblings are ordered from the leaf up", path=[path[1], path[0], path[2]])
    refuse("altered chunk", "the leaf hashes every byte", chunk=chunk[:-1] + bytes([chunk[-1] ^ 1]))
    refuse("chunk of another leaf", "the leaf is not there", chunk=chunks[3])
    refuse("chunk too short", "a chunk has 4K bytes", chunk=chunk[:-4])
    refuse("chunk too long", "a chunk has 4K bytes", chunk=chunk + bytes(4))
    refuse("altered sibling hash", "the path does not lead to the root", path=path[:2] + [path[2][:-1] + bytes([path[2][-1] ^ 1])])
    refuse("altered root", "the path does not lead to the root", root=bytes([root[0] ^ 1]) + root[1:])
    refuse("zero root", "the zero root commits to nothing", root=ZERO32)
    refuse("zero root, depth zero", "the zero root commits to nothing", root=ZERO32, depth=0, chunkCount=1, index=0, chunk=bytes(64), path=[])
    refuse("depth one more, a zero sibling added", "the depth is the layout's", depth=4, chunkCount=9, path=path + [ZERO32])
    refuse("depth one less, path truncated", "the depth is the layout's", depth=2, chunkCount=3, path=path[:-1])
    # With K = 16 a chunk is as long as two hashes: only the tags tell a leaf from a node.
    refuse("a node as a leaf", "leaves and nodes have different tags", depth=2, chunkCount=3, index=1, chunk=levels[0][2] + levels[0][3], path=path[1:])
    refuse("the root's children as a leaf", "leaves and nodes have different tags", depth=0, chunkCount=1, index=0, chunk=levels[2][0] + levels[2][1], path=[])
    # The update's tree over the same bytes has other tags: none of its nodes is one of the model's.
    update_tagged = sha(b"\x00", chunk)
    other = tree([update_tagged] + [sha(b"\x00", c) for c in chunks[1:]], depth, ZERO32, lambda a, b: sha(b"\x01", a, b))
    refuse("a tree with the update's tags", "model and update trees have different tags", root=other[-1][0], path=path_of(other, index))
    by_layout = []
    for name, leaf in [
        ("a leaf of one coordinate less", chunk[:-4]),
        ("a leaf of one coordinate more", chunk + b"\7\0\0\0"),
        ("a leaf with an odd byte more", chunk + b"\7"),
        ("an empty leaf", b""),
    ]:
        fields = dict(chunkSize=16, chunkCount=2, depth=1, root=hexed(model_node(model_leaf(leaf), levels[0][1])), index=0)
        path_hashes = [hexed(levels[0][1])]
        by_layout.append({"name": name, "reason": "a chunk has 4K bytes", **fields, "chunk": hexed(leaf), "pathHashes": path_hashes})
    full = model_tree(chunks_of([5] * 64, 16, "i"))
    fields = dict(chunkSize=16, chunkCount=3, depth=2, root=hexed(full[-1][0]), index=3, chunk=hexed(struct.pack("<16i", *[5] * 16)))
    path_hashes = [hexed(h) for h in path_of(full, 3)]
    by_layout.append({"name": "a chunk in the padding of the tree", "reason": "index < chunkCount", **fields, "pathHashes": path_hashes})
    about = "Merkle commitments of model snapshots and server states: docs/spec/commitments.md"
    return {"about": about, "cases": cases, "refused": refused, "refusedByLayout": by_layout}


# ---------------------------------------------------------------------------------------------------- round hashes


def cid_bytes(label, codec=0x55):
    return bytes([1, codec, 0x12, 0x20]) + sha(label.encode())


def address(label):
    return some_bytes(f"address/{label}", 20)


def seal(chain_id, federation, round_, base, participant, root, norm_sq, cid, salt):
    return keccak256(
        b"".join(map(word, [chain_id, federation, round_, base, participant, root, norm_sq, keccak256(cid), salt]))
    )


def commit_hashes():
    base = dict(
        chain_id=31337,
        federation=address("federation"),
        round_=1,
        base=some_bytes("base", 32),
        participant=address("ann"),
        root=some_bytes("root", 32),
        norm_sq=123456789,
        cid=cid_bytes("payload"),
        salt=some_bytes("salt", 32),
    )
    variants = [
        ("a plain update", {}),
        ("another chain", dict(chain_id=1)),
        ("a large chain id", dict(chain_id=2**53 - 1)),
        ("another contract", dict(federation=address("other"))),
        ("another round", dict(round_=2)),
        ("a late round", dict(round_=2**32 + 5)),
        ("another base model", dict(base=some_bytes("base 2", 32))),
        ("another participant", dict(participant=address("bob"))),
        ("an address with leading zeros", dict(participant=bytes(3) + address("ann")[3:])),
        ("another root", dict(root=some_bytes("root 2", 32))),
        ("a root with leading zeros", dict(root=bytes(4) + some_bytes("root", 28))),
        ("a norm of zero", dict(norm_sq=0)),
        ("the largest norm", dict(norm_sq=U64_MAX)),
        ("a payload of several blocks", dict(cid=cid_bytes("payload", 0x70))),
        ("a salt of zeros", dict(salt=ZERO32)),
    ]
    cases = []
    for name, changed in variants:
        f = {**base, **changed}
        cases.append(
            {
                "name": name,
                "chainId": f["chain_id"],
                "federation": hexed(f["federation"]),
                "round": f["round_"],
                "baseModelRoot": hexed(f["base"]),
                "participant": hexed(f["participant"]),
                "root": hexed(f["root"]),
                "normSq": str(f["norm_sq"]),
                "cid": hexed(f["cid"]),
                "salt": hexed(f["salt"]),
                "commitHash": hexed(seal(**f)),
            }
        )
    assert len({c["commitHash"] for c in cases}) == len(cases)
    return {"about": "The sealed commitment of an update: docs/spec/round.md", "cases": cases}


def accumulators():
    cases = []
    for name, order in [("no reveals", []), ("one reveal", [0]), ("three in order", [0, 1, 2]), ("three in another order", [2, 0, 1]), ("the last index of all", [99])]:
        acc, steps = ZERO32, []
        for i in order:
            root, norm_sq, cid = some_bytes(f"acc root {i}", 32), i * 10**17, cid_bytes(f"acc {i}")
            acc = keccak256(b"".join(map(word, [acc, i, address(f"acc {i}"), root, norm_sq, keccak256(cid)])))
            steps.append(
                {
                    "index": i,
                    "participant": hexed(address(f"acc {i}")),
                    "root": hexed(root),
                    "normSq": str(norm_sq),
                    "cid": hexed(cid),
                    "accumulator": hexed(acc),
                }
            )
        cases.append({"name": name, "reveals": steps, "accumulator": hexed(acc)})
    return {"about": "The running hash of a round's reveals: docs/spec/round.md", "cases": cases}


def publication(roots, model_cid, evidence_cid):
    """keccak256(abi.encode(publication)), the ABI written out by hand."""

    def tail(data):
        return word(len(data)) + data + bytes(-len(data) % 32)

    head = word(32) + b"".join(map(word, roots)) + word(224) + word(224 + len(tail(model_cid)))
    return keccak256(head + tail(model_cid) + tail(evidence_cid))


def publications():
    full = [some_bytes(f"publication {i}", 32) for i in range(5)]
    cases = []
    for name, roots, model_cid, evidence_cid in [
        ("all roots", full, cid_bytes("model", 0x70), cid_bytes("evidence")),
        ("no server state", [full[0], ZERO32, full[2], full[3], full[4]], cid_bytes("model"), cid_bytes("evidence")),
        ("neither state nor Gram matrix", [full[0], ZERO32, ZERO32, ZERO32, full[4]], cid_bytes("model"), cid_bytes("evidence")),
        ("roots exchanged", [full[1], full[0], full[3], full[2], full[4]], cid_bytes("model", 0x70), cid_bytes("evidence")),
        ("CIDs exchanged", full, cid_bytes("evidence"), cid_bytes("model", 0x70)),
        ("empty CIDs", full, b"", b""),
        ("a CID of exactly one word", full, cid_bytes("model")[:32], cid_bytes("evidence")),
    ]:
        cases.append(
            {
                "name": name,
                "modelRoot": hexed(roots[0]),
                "stateRoot": hexed(roots[1]),
                "gramRoot": hexed(roots[2]),
                "mixingHash": hexed(roots[3]),
                "submissionSet": hexed(roots[4]),
                "modelCid": hexed(model_cid),
                "evidenceCid": hexed(evidence_cid),
                "publicationHash": hexed(publication(roots, model_cid, evidence_cid)),
            }
        )
    assert len({c["publicationHash"] for c in cases}) == len(cases)
    return {"about": "The hash of a publication: docs/spec/round.md", "cases": cases}


# ---------------------------------------------------------------------------------------------------- rules

MOST = 100
RULES = {
    "fedavg": ("none", "mean"),
    "median": ("none", "median"),
    "trimmed-mean": ("none", "trimmedMean"),
    "krum": ("multiKrum", "mean"),
    "multi-krum": ("multiKrum", "mean"),
    "nnm+fedavg": ("nearestNeighborMixing", "mean"),
    "nnm+median": ("nearestNeighborMixing", "median"),
    "nnm+trimmed-mean": ("nearestNeighborMixing", "trimmedMean"),
}


def defined(pre, combine, f, m, n):
    """Whether the rule is defined for n rows: the papers' conditions, tried one by one."""
    if n < 1 or n > MOST or not n > 2 * f:
        return False
    if pre == "multiKrum":
        return combine == "mean" and n >= 2 * f + 3 and m <= n - f
    return m == 0


def rule_parameters():
    cases = []
    for name, (pre, combine) in RULES.items():
        for f in (0, 1, 2, 4, 10, 33, 48, 49, 50, 100):
            for m in {"krum": (1,), "multi-krum": (0, 2, 5, 40, 96, 98, 100)}.get(name, (0,)):
                possible = [n for n in range(1, MOST + 1) if defined(pre, combine, f, m, n)]
                cases.append(parameter_case(name, pre, combine, f, m, possible))
    for name, pre, combine, f, m in [
        ("m without Krum", "none", "mean", 0, 1),
        ("m without Krum", "nearestNeighborMixing", "trimmedMean", 2, 3),
        ("Krum with a median", "multiKrum", "median", 1, 0),
        ("Krum with a trimmed mean", "multiKrum", "trimmedMean", 1, 3),
        ("f as large as its type", "none", "median", 65535, 0),
        ("m as large as its type", "multiKrum", "mean", 1, 65535),
    ]:
        possible = [n for n in range(1, MOST + 1) if defined(pre, combine, f, m, n)]
        cases.append(parameter_case(name, pre, combine, f, m, possible))
    return {
        "about": "Which rule parameters are possible, and the fewest updates they need: docs/spec/rules.md. minimum 0: none is enough",
        "maxParticipants": MOST,
        "cases": cases,
    }


def parameter_case(name, pre, combine, f, m, possible):
    if possible:
        assert possible == list(range(possible[0], MOST + 1))
    return {
        "name": name,
        "preAggregation": pre,
        "combine": combine,
        "byzantine": f,
        "selected": m,
        "ok": bool(possible),
        "minimum": possible[0] if possible else 0,
    }


def gram_of(rows):
    return [[sum(x * y for x, y in zip(a, b)) for b in rows] for a in rows]


def upper(matrix):
    return [matrix[i][j] for i in range(len(matrix)) for j in range(i, len(matrix))]


def distance(g, i, j):
    return g[i][i] + g[j][j] - 2 * g[i][j]


def mixing_of(rows, pre, f, m):
    """(weights as m rows of n, denominator)"""
    n = len(rows)
    if pre == "none":
        return None
    g = gram_of(rows)

    def others(i):
        return sorted((j for j in range(n) if j != i), key=lambda j: (sum((a - b) ** 2 for a, b in zip(rows[i], rows[j])), j))

    if pre == "nearestNeighborMixing":
        weights = []
        for i in range(n):
            near = {i, *others(i)[: n - f - 1]}
            weights.append([1 if j in near else 0 for j in range(n)])
        return weights, n - f
    scores = [sum(distance(g, i, j) for j in others(i)[: n - f - 2]) for i in range(n)]
    chosen = sorted(sorted(range(n), key=lambda i: (scores[i], i))[: m or n - f])
    return [[1 if j == i else 0 for j in range(n)] for i in chosen], 1


def mixing_hash(weights, denominator):
    flat = [w for row in weights for w in row]
    return sha(b"\x20", struct.pack(">HHI", len(weights), len(weights[0]), denominator), struct.pack(f">{len(flat)}i", *flat))


GRAM_SPAN = 16


def gram_matrix_hash(matrix):
    n = len(matrix)
    return sha(b"\x12", *[sha(b"\x13", struct.pack(f">{n - i}q", *matrix[i][i:])) for i in range(n)])


def gram_levels(rows, chunk_size):
    n, span = len(rows), GRAM_SPAN * chunk_size
    leaves = []
    for start in range(0, len(pad(list(rows[0]), chunk_size)), span):
        partial = gram_of([row[start : start + span] for row in rows])
        leaves.append((sha(b"\x10", gram_matrix_hash(partial)), partial))

    def join(a, b):
        total = [[x + y for x, y in zip(p, q)] for p, q in zip(a[1], b[1])]
        return (sha(b"\x11", a[0], gram_matrix_hash(a[1]), b[0], gram_matrix_hash(b[1])), total)

    return tree(leaves, depth_of(len(leaves)), (ZERO32, [[0] * n for _ in range(n)]), join)


def trunc_div(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def clamp(x):
    return max(-(2**31), min(2**31 - 1, x))


def aggregate(rows, pre, combine, f, m):
    """(numerators, denominator, mixing)"""
    mixing = mixing_of(rows, pre, f, m)
    mixed, scale = rows, 1
    if mixing:
        weights, scale = mixing
        mixed = [[sum(w * row[k] for w, row in zip(ws, rows)) for k in range(len(rows[0]))] for ws in weights]
    count = len(mixed)
    numerators = []
    for column in zip(*mixed):
        column = sorted(column)
        if combine == "mean":
            value, denominator = sum(column), count
        elif combine == "trimmedMean":
            value, denominator = sum(column[f : count - f]), count - 2 * f
        elif count % 2:
            value, denominator = column[count // 2], 1
        else:
            value, denominator = column[count // 2 - 1] + column[count // 2], 2
        numerators.append(value)
    return numerators, denominator * scale, mixing


def server_step(optimizer, lr, momentum, model, velocity, numerators, denominator, shift):
    next_model, next_velocity = [], []
    for k, w in enumerate(model):
        delta = trunc_div(numerators[k] * 2**shift, denominator)
        direction = delta
        if optimizer == "fedAvgM":
            direction = clamp(trunc_div(momentum * velocity[k], 2**16) + delta)
            next_velocity.append(direction)
        next_model.append(clamp(w + trunc_div(lr * direction, 2**16)))
    return next_model, next_velocity if optimizer == "fedAvgM" else None


FED_AVG = ("fedAvg", 65536, 0)
FED_AVG_M = ("fedAvgM", 65536, 58982)


def aggregation_inputs():
    """(name, rule name, f, m, server step, F, G, rows, model, velocity)"""
    out = []

    def add(name, rule, f, m, step, rows, model=None, velocity=None, bits=(24, 16)):
        d = len(rows[0])
        model = some_ints(f"{name} model", d, -(2**24), 2**24) if model is None else model
        if step[0] == "fedAvgM" and velocity is None:
            velocity = some_ints(f"{name} velocity", d, -(2**20), 2**20)
        out.append((name, rule, f, m, step, *bits, rows, model, velocity))

    def rows(label, n, d, low=-2000, high=2000):
        return [some_ints(f"{label} row {i}", d, low, high) for i in range(n)]

    five, six = rows("five", 5, 21), rows("six", 6, 21)
    for n, sample in ((5, five), (6, six)):
        add(f"fedavg, n = {n}", "fedavg", 0, 0, FED_AVG, sample)
        add(f"median, n = {n}", "median", 2, 0, FED_AVG, sample)
        add(f"trimmed mean f = 1, n = {n}", "trimmed-mean", 1, 0, FED_AVG, sample)
        add(f"trimmed mean f = 2, n = {n}", "trimmed-mean", 2, 0, FED_AVG_M, sample)
        add(f"krum f = 1, n = {n}", "krum", 1, 1, FED_AVG, sample)
        add(f"multi-krum f = 1, m = n - f, n = {n}", "multi-krum", 1, 0, FED_AVG, sample)
        add(f"multi-krum f = 1, m = 3, n = {n}", "multi-krum", 1, 3, FED_AVG_M, sample)
        add(f"nnm+fedavg f = 1, n = {n}", "nnm+fedavg", 1, 0, FED_AVG, sample)
        add(f"nnm+median f = 2, n = {n}", "nnm+median", 2, 0, FED_AVG, sample)
        add(f"nnm+trimmed mean f = 1, n = {n}", "nnm+trimmed-mean", 1, 0, FED_AVG, sample)
        add(f"nnm+trimmed mean f = 2, n = {n}", "nnm+trimmed-mean", 2, 0, FED_AVG_M, sample)
    add("one row", "fedavg", 0, 0, FED_AVG, rows("one", 1, 5))
    add("one row, median", "median", 0, 0, FED_AVG, rows("one", 1, 5))
    add("one row, nnm", "nnm+trimmed-mean", 0, 0, FED_AVG, rows("one", 1, 5))
    add("the default chunk size, two chunks", "nnm+trimmed-mean", 2, 0, FED_AVG, rows("wide", 7, 300))
    same = [some_ints("same", 8, -50, 50)] * 7
    for rule, m in (("krum", 1), ("multi-krum", 0), ("nnm+median", 0), ("nnm+trimmed-mean", 0)):
        add(f"all rows equal, {rule}", rule, 2, m, FED_AVG, same)
    # On a line at equal distances: every row has two nearest neighbours, and Krum's middle rows tie.
    line = [[10 * i] * 4 for i in range(6)]
    add("ties on a line, krum", "krum", 1, 1, FED_AVG, line)
    add("ties on a line, multi-krum m = 2", "multi-krum", 1, 2, FED_AVG, line)
    add("ties on a line, nnm f = 1", "nnm+median", 1, 0, FED_AVG, line)
    add("ties on a line, nnm f = 2", "nnm+trimmed-mean", 2, 0, FED_AVG, line)
    add("ties on a line, descending", "multi-krum", 1, 2, FED_AVG, line[::-1])
    ring = [[3, 0], [0, 3], [-3, 0], [0, -3], [3, 0]]
    add("ties on a ring, krum", "krum", 1, 1, FED_AVG, ring)
    add("ties on a ring, nnm f = 2", "nnm+fedavg", 2, 0, FED_AVG, ring)
    # Truncation toward zero: -1/3, 1/3, -2/3, 5/3, -5/3, 0 with the model at -1, 0 and 1.
    thirds = [[-1, 1, -2, 5, -5, 0], [0] * 6, [0] * 6]
    for w in (-1, 0, 1):
        add(f"thirds truncate toward zero, model {w}", "fedavg", 0, 0, FED_AVG, thirds, [w] * 6, bits=(16, 16))
    add("a learning rate of 1/65536 truncates toward zero", "fedavg", 0, 0, ("fedAvg", 1, 0), [[-1, 1, -300, 300, -256, 256]], [0] * 6)
    add("halves of a median truncate toward zero", "median", 0, 0, FED_AVG, [[-1, 1, -3, 3], [0, 0, 0, 0]], [0] * 4, bits=(16, 16))
    add("momentum truncates toward zero", "fedavg", 0, 0, ("fedAvgM", 65536, 65535), [[0] * 6], [0] * 6, [-1, 1, -2, 2, -65536, 65536])
    extreme = [[32767, -32768, 32767, -32768]] * 5
    top, bottom = 2**31 - 1, -(2**31)
    edge = [top, bottom, top - 2**22, bottom + 2**22]
    add("the model saturates", "trimmed-mean", 1, 0, FED_AVG, extreme, edge)
    add("the model saturates, learning rate 16", "fedavg", 0, 0, ("fedAvg", 16 * 65536, 0), extreme, [0, 0, 1000, -1000])
    add("the velocity saturates", "median", 0, 0, ("fedAvgM", 65536, 65535), extreme, [0, 0, 5, -5], [top, bottom, top, bottom])
    add("16 bits between the scales", "fedavg", 0, 0, FED_AVG, extreme, [0, 0, -(2**30), 2**30], bits=(30, 14))
    add("velocity against the update", "trimmed-mean", 1, 0, FED_AVG_M, extreme, [0] * 4, [bottom, top, bottom, top])
    big = rows("extreme gram", 6, 40, -32768, 32767)
    add("extreme rows through the Gram matrix", "nnm+trimmed-mean", 2, 0, FED_AVG, big)
    outliers = rows("honest", 5, 12, -20, 20) + [[32767] * 12, [-32768] * 12]
    add("two outliers of seven, nnm", "nnm+trimmed-mean", 2, 0, FED_AVG, outliers)
    add("two outliers of seven, krum", "multi-krum", 2, 0, FED_AVG, outliers)
    return out


def aggregations():
    cases = []
    for name, rule, f, m, step, model_bits, update_bits, rows, model, velocity in aggregation_inputs():
        pre, combine = RULES[rule]
        chunk_size = 256 if len(model) > 100 else 16
        assert defined(pre, combine, f, m, len(rows)), name
        numerators, denominator, mixing = aggregate(rows, pre, combine, f, m)
        next_model, next_velocity = server_step(*step, model, velocity, numerators, denominator, model_bits - update_bits)
        cases.append(
            {
                "name": name,
                "rule": {"name": rule, "preAggregation": pre, "combine": combine, "byzantine": f, "selected": m},
                "serverStep": {"optimizer": step[0], "learningRateQ16": step[1], "momentumQ16": step[2]},
                "dimension": len(model),
                "chunkSize": chunk_size,
                "modelFractionBits": model_bits,
                "updateFractionBits": update_bits,
                "rows": rows,
                "model": model,
                "velocity": velocity,
                "gram": [str(v) for v in upper(gram_of(rows))],
                "mixing": mixing
                and {
                    "rows": len(mixing[0]),
                    "columns": len(rows),
                    "denominator": mixing[1],
                    "weights": [w for row in mixing[0] for w in row],
                },
                "numerators": numerators,
                "denominator": denominator,
                "nextModel": next_model,
                "nextVelocity": next_velocity,
                "modelRoot": hexed(model_root(next_model, chunk_size)),
                "stateRoot": hexed(model_root(next_velocity, chunk_size) if next_velocity else ZERO32),
                "gramRoot": hexed(gram_levels(rows, chunk_size)[-1][0][0] if mixing else ZERO32),
                "mixingHash": hexed(mixing_hash(*mixing) if mixing else ZERO32),
            }
        )
    return {"about": "Whole rounds with small numbers: docs/spec/rules.md", "cases": cases}


def gram_trees():
    cases = []
    for name, n, chunk_size, d, low, high in [
        ("one span", 3, 16, 20, -100, 100),
        ("exactly one span", 2, 16, 16 * 16, -32768, 32767),
        ("two spans, the second of one coordinate", 3, 16, 16 * 16 + 1, -32768, 32767),
        ("three spans: a padding leaf", 4, 16, 16 * 16 * 2 + 33, -1000, 1000),
        ("five spans: depth three", 2, 16, 16 * 16 * 4 + 5, -32768, 32767),
        ("one row", 1, 16, 40, -9, 9),
        ("the least int16 in every place", 2, 16, 300, -32768, -32768),
    ]:
        rows = [some_ints(f"{name} {i}", d, low, high) for i in range(n)]
        levels = gram_levels(rows, chunk_size)
        root, matrix = levels[-1][0]
        assert matrix == gram_of(rows)
        cases.append(
            {
                "name": name,
                "dimension": d,
                "chunkSize": chunk_size,
                "rows": rows,
                "spans": [[str(v) for v in upper(partial)] for _, partial in levels[0][: -(-d // (16 * chunk_size))]],
                "matrixHash": hexed(gram_matrix_hash(matrix)),
                "gram": [str(v) for v in upper(matrix)],
                "gramRoot": hexed(root),
            }
        )
    return {"about": "Commitments of Gram matrices: docs/spec/commitments.md", "cases": cases}


# ---------------------------------------------------------------------------------------------------- combine, steps, rules


def combined(combine, f, column):
    """(numerator, denominator) of one coordinate, by the definitions."""
    column = sorted(column)
    m = len(column)
    if combine == "mean":
        return sum(column), m
    if combine == "trimmedMean":
        return sum(column[f : m - f]), m - 2 * f
    middle = [column[(m - 1) // 2], column[m // 2]]
    if combine == "median":
        return (middle[0], 1) if m % 2 else (sum(middle), 2)
    kept = m - f if combine == "meaMed" else m - 2 * f
    nearest = sorted(column, key=lambda x: (abs(2 * x - sum(middle)), x))[:kept]
    return sum(nearest), kept


def combines():
    cases = []

    def add(name, combine, f, column):
        numerator, denominator = combined(combine, f, column)
        cases.append(
            {"name": name, "combine": combine, "byzantine": f, "column": column, "numerator": str(numerator), "denominator": denominator}
        )

    columns = {
        "one value": ([7], (0,)),
        "two values": ([9, -4], (0,)),
        "two equally far from an odd median": ([0, 10, 20], (0, 1)),
        "equally far on both sides of an even median": ([-6, 0, 10, 16], (0, 1)),
        "all equal": ([5] * 7, (0, 1, 3)),
        "far on the left": ([-100, 1, 2, 3, 4], (0, 1, 2)),
        "far on the right": ([100, 4, 3, 2, 1], (0, 1, 2)),
        "negative": ([-7, -7, -9, -1, -3, -3, -20], (0, 1, 2, 3)),
        "extremes": ([-32768, 32767, 32767, -32768, 0, -1, 1], (0, 1, 2, 3)),
        "extremes, even": ([-32768, 32767, 32767, -32768, 32767, -32768], (0, 1, 2)),
        "a hundred of them": (some_ints("a hundred", 100, -32768, 32767), (0, 1, 20, 49)),
        "ninety-nine with ties": (some_ints("ninety-nine", 99, -3, 3), (0, 7, 49)),
        "ten": (some_ints("ten", 10, -50, 50), (0, 1, 2, 4)),
        "eleven": (some_ints("eleven", 11, -50, 50), (0, 1, 2, 5)),
    }
    for name, (column, tolerated) in columns.items():
        for f in tolerated:
            for combine in ("mean", "median", "trimmedMean", "meaMed", "bulyan"):
                add(f"{name}, {combine}, f = {f}", combine, f, column)
    return {"about": "One coordinate of a combine, its values in any order: docs/spec/rules.md", "cases": cases}


def isqrt(x):
    low, high = 0, 2**32
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * middle <= x else (low, middle)
    return low


def adaptive_step(optimizer, lr, beta1, beta2, tau, fraction_bits, w, m, v, delta):
    """(w', m', v') of one coordinate"""
    one = 2**16
    m = clamp(trunc_div(beta1 * m + (one - beta1) * delta, one))
    square = delta * delta
    if optimizer == "fedAdagrad":
        v = v + square
    elif optimizer == "fedAdam":
        v = (beta2 * v + (one - beta2) * square) // one
    elif v < square:
        v = v + (one - beta2) * (square - v) // one
    else:
        v = v - (one - beta2) * (v - square) // one
    v = min(v, 2**62 - 1)
    ratio = trunc_div(m * one, isqrt(v) + tau)
    ratio = max(1 - 2**31, min(2**31 - 1, ratio))
    return clamp(w + trunc_div(lr * ratio, 2 ** (32 - fraction_bits))), m, v


def server_steps():
    cases = []
    top, bottom = 2**31 - 1, -(2**31)

    def add(name, optimizer, lr, beta1, beta2, tau, bits, numerator, denominator, w, m, v):
        model_bits, update_bits = bits
        delta = clamp(trunc_div(numerator * 2 ** (model_bits - update_bits), denominator))
        next_w, next_m, next_v = adaptive_step(optimizer, lr, beta1, beta2, tau, model_bits, w, m, v, delta)
        assert 0 <= next_v < 2**62
        cases.append(
            {
                "name": name,
                "serverStep": {
                    "optimizer": optimizer,
                    "learningRateQ16": lr,
                    "momentumQ16": beta1,
                    "secondMomentQ16": beta2,
                    "adaptivity": tau,
                },
                "modelFractionBits": model_bits,
                "updateFractionBits": update_bits,
                "numerator": numerator,
                "denominator": denominator,
                "model": w,
                "momentum": m,
                "secondMoment": str(v),
                "nextModel": next_w,
                "nextMomentum": next_m,
                "nextSecondMoment": str(next_v),
            }
        )

    for optimizer in ("fedAdagrad", "fedAdam", "fedYogi"):
        beta2 = 0 if optimizer == "fedAdagrad" else 64881  # 0.99
        say = lambda text: f"{optimizer}: {text}"
        usual = (655, 58982, beta2, 16777)  # lr 0.01, beta1 0.9, tau 0.001 when F = 24
        add(say("first round, upward"), optimizer, *usual, (24, 16), 655, 5, 1000, 0, 0)
        add(say("first round, downward"), optimizer, *usual, (24, 16), -655, 5, 1000, 0, 0)
        add(say("no update, no state"), optimizer, *usual, (24, 16), 0, 7, -5, 0, 0)
        add(say("no update, some state"), optimizer, *usual, (24, 16), 0, 7, -5, 12345, 10**12)
        add(say("truncates toward zero"), optimizer, 65536, 65535, beta2, 3, (16, 16), -1, 3, 0, -1, 5)
        add(say("the second moment above the square"), optimizer, *usual, (24, 16), 100, 1, 0, -77, 10**15)
        add(say("the second moment equal to the square"), optimizer, 65536, 0, beta2, 1, (24, 16), 100, 1, 0, 0, 25600**2)
        add(say("all at their largest"), optimizer, 2**20, 65535, beta2, 1, (30, 14), 32767, 1, top, top, 2**62 - 1)
        add(say("all at their least"), optimizer, 2**20, 65535, beta2, 1, (30, 14), -32768, 1, bottom, bottom, 2**62 - 1)
        add(say("the ratio is clamped"), optimizer, 2**20, 65535, beta2, 1, (30, 14), 0, 1, 0, top, 0)
        add(say("the ratio is clamped below"), optimizer, 2**20, 65535, beta2, 1, (30, 14), 0, 1, 0, bottom, 0)
        add(say("the largest adaptivity"), optimizer, 2**20, 0, beta2, 2**32 - 1, (24, 16), 32767, 1, 0, 0, 0)
        add(say("one fraction bit"), optimizer, 2**20, 32768, beta2, 1, (1, 1), 32767, 100, 3, -9, 99)
        labels = stream(f"steps {optimizer}")

        def number(low, high):
            value = int.from_bytes(bytes(next(labels) for _ in range(9)), "big")
            return low + value % (high - low + 1)

        for i in range(24):
            bits = [(24, 16), (30, 14), (16, 16), (20, 12)][i % 4]
            second = 0 if optimizer == "fedAdagrad" else number(0, 65535)
            denominator = number(1, 10_000)
            numerator = number(-32768 * denominator, 32767 * denominator) >> number(0, 20)
            v = number(0, 2**62 - 1) >> number(0, 61)
            step = (number(1, 2**20), number(0, 65535), second, number(1, 2**32 - 1) >> number(0, 31) or 1)
            m = number(bottom, top) >> number(0, 24)
            add(say(f"random {i}"), optimizer, *step, bits, numerator, denominator, number(bottom, top), m, v)
    return {"about": "One coordinate of an adaptive server step: docs/spec/rules.md", "cases": cases}


PREPARING = ("nearestNeighborMixing", "bucketing", "adaptiveClipping")
STAGES = PREPARING + (
    "multiKrum",
    "iteratedKrum",
    "geometricMedian",
    "centeredClipping",
    "minimumDiameter",
    "monna",
    "covarianceFilter",
    "foolsGold",
    "signGuard",
    "flTrust",
)
# Each alone: what the contract can judge.
ENFORCED = PREPARING + ("multiKrum",)


def rule_defined(rule, n):
    """Whether n rows are enough, stage by stage from the updates on: how many rows each is given and leaves."""
    f, m, s = rule["byzantine"], rule["selected"], rule["bucketSize"]
    if n < 1 or n > MOST:
        return False
    for stage in rule["preAggregations"]:
        if stage == "bucketing":
            n = -(-n // s)
        elif stage == "multiKrum":
            return n >= 2 * f + 3 and m <= n - f
        elif stage == "iteratedKrum":
            return n >= 4 * f + 3
        elif not n > 2 * f:
            return False
    return n > 2 * f


def rule_possible(rule):
    stages, combine = rule["preAggregations"], rule["combine"]
    last = stages[-1] if stages else None
    ends = last is not None and last not in PREPARING
    return (
        len(stages) <= 4
        and len(set(stages)) == len(stages)
        and all(stage in PREPARING for stage in stages[:-1])
        and (combine == "bulyan") == (last == "iteratedKrum")
        and (not ends or combine in ("mean", "bulyan"))
        and (last != "signGuard" or len(stages) == 1)
        and (last != "minimumDiameter" or rule["byzantine"] <= 12)
        and not (last in ("monna", "flTrust") and "bucketing" in stages)
        and (rule["bucketSize"] > 0) == ("bucketing" in stages)
        and (rule["selected"] == 0 or last == "multiKrum")
        and (1 <= rule["iterations"] <= 64 if last in ("geometricMedian", "centeredClipping") else rule["iterations"] == 0)
        and (rule["reference"] == 0 or last in ("monna", "flTrust"))
        and ((rule["radius"] > 0) == (last == "centeredClipping"))
    )


def rule_compositions():
    cases = []

    def add(name, stages, combine="mean", f=1, **others):
        rule = {"preAggregations": list(stages), "combine": combine, "byzantine": f}
        rule.update({key: others.get(key, 0) for key in ("selected", "bucketSize", "iterations", "reference", "radius")})
        possible = [n for n in range(1, MOST + 1) if rule_defined(rule, n)] if rule_possible(rule) else []
        if possible:
            assert possible == list(range(possible[0], MOST + 1)), name
        enforceable = len(stages) <= 1 and all(x in ENFORCED for x in stages) and combine != "bulyan"
        cases.append(
            {
                "name": name,
                **rule,
                "radius": str(rule["radius"]),
                "ok": bool(possible),
                "minimum": possible[0] if possible else 0,
                "enforceable": enforceable,
            }
        )

    def needs(stage):
        if stage in ("geometricMedian", "centeredClipping"):
            return {"iterations": 3, **({"radius": 1000} if stage == "centeredClipping" else {})}
        return {"bucketSize": 2} if stage == "bucketing" else {}

    for f in (0, 1, 5, 12, 13, 24, 25, 49, 50):
        for combine in ("mean", "median", "trimmedMean", "meaMed", "bulyan"):
            add(f"{combine} alone, f = {f}", (), combine, f)
            for stage in STAGES:
                add(f"{stage} and {combine}, f = {f}", (stage,), combine, f, **needs(stage))
    for first in PREPARING:
        for second in STAGES:
            combine = "bulyan" if second == "iteratedKrum" else "mean"
            add(f"{second} after {first}", (first, second), combine, 2, **{**needs(first), **needs(second)})
            add(f"{first} after {second}", (second, first), combine, 2, **{**needs(first), **needs(second)})
    for s in (1, 2, 3, 10, 50, 100, 65535):
        add(f"median of buckets of {s}", ("bucketing",), "median", 1, bucketSize=s)
        add(f"Krum of buckets of {s}", ("bucketing", "multiKrum"), "mean", 1, bucketSize=s, selected=1)
        add(f"Multi-Krum of buckets of {s}, m = 5", ("bucketing", "multiKrum"), "mean", 1, bucketSize=s, selected=5)
    three = ("adaptiveClipping", "bucketing", "nearestNeighborMixing")
    add("three preparing stages and a median", three, "median", 3, bucketSize=2)
    add("four stages", (*three, "multiKrum"), "mean", 3, bucketSize=2)
    add("four stages and Bulyan", (*three, "iteratedKrum"), "bulyan", 3, bucketSize=2)
    add("one stage twice", ("nearestNeighborMixing", "nearestNeighborMixing"), "median")
    add("five stages", (*three, "nearestNeighborMixing", "multiKrum"), "mean", 1, bucketSize=2)
    add("Bulyan's combine without its selection", (), "bulyan")
    add("Bulyan's selection without its combine", ("iteratedKrum",), "mean")
    add("bucketing without a size", ("bucketing",), "median")
    add("a bucket size without bucketing", ("nearestNeighborMixing",), "median", bucketSize=2)
    add("no iterations", ("geometricMedian",))
    add("64 iterations", ("geometricMedian",), iterations=64)
    add("65 iterations", ("geometricMedian",), iterations=65)
    add("iterations that nothing makes", ("nearestNeighborMixing",), iterations=1)
    add("centred clipping without a radius", ("centeredClipping",), iterations=1)
    add("the largest radius", ("centeredClipping",), iterations=1, radius=2**64 - 1)
    add("a radius for the geometric median", ("geometricMedian",), iterations=1, radius=1)
    add("a reference", ("flTrust",), reference=65535)
    add("a reference for Krum", ("multiKrum",), reference=1)
    return {"about": "Compositions of stages, the fewest updates they need, and whether the contract judges them: docs/spec/rules.md", "cases": cases}


# ---------------------------------------------------------------------------------------------------- disputes


def publication_fields(roots, model_cid, evidence_cid):
    names = ["modelRoot", "stateRoot", "gramRoot", "mixingHash", "submissionSet"]
    return {**{n: hexed(r) for n, r in zip(names, roots)}, "modelCid": hexed(model_cid), "evidenceCid": hexed(evidence_cid)}


def i64s(matrix):
    return struct.pack(f">{len(upper(matrix))}q", *upper(matrix))


def mixing_bytes(weights, denominator):
    flat = [w for row in weights for w in row]
    return b"\x20" + struct.pack(">HHI", len(weights), len(weights[0]), denominator) + struct.pack(f">{len(flat)}i", *flat)


def sum_steps(path):
    return b"".join(h + u64(s) for h, s in path)


class Scene:
    """One round with everything that a proof can open. `lie` changes it before it is published."""

    K = 16

    def __init__(self, name, rule="fedavg", f=0, m=0, step=FED_AVG, n=4, d=70, first=False, lie=lambda scene: None, low=-900, high=900):
        self.name, self.f, self.m, self.step, self.n, self.d = name, f, m, step, n, d
        self.rule, (self.pre, self.combine) = rule, RULES[rule]
        self.rows = [some_ints(f"{name} row {i}", d, low, high) for i in range(n)]
        self.base = some_ints(f"{name} base", d, -(2**24), 2**24)
        self.stateful = step[0] == "fedAvgM"
        self.has_old = self.stateful and not first
        self.old = some_ints(f"{name} velocity", d, -(2**20), 2**20) if self.has_old else [0] * d
        numerators, denominator, mixing = aggregate(self.rows, self.pre, self.combine, f, m)
        self.model, self.state = server_step(*step, self.base, self.old, numerators, denominator, 8)
        self.chunks = [chunks_of(row, self.K, "h") for row in self.rows]
        self.levels = [sum_tree(c) for c in self.chunks]
        self.mixing = mixing_bytes(*mixing) if mixing else b""
        self.right_mixing = self.mixing
        self.gram_leaves = []
        if mixing:
            span = GRAM_SPAN * self.K
            padded = [pad(row, self.K) for row in self.rows]
            self.gram_leaves = [gram_of([row[s : s + span] for row in padded]) for s in range(0, len(padded[0]), span)]
        self.gram_claims = {}  # (level, position) -> matrix that the parent claims
        self.model_nodes = {}  # (level, position) -> hash
        lie(self)
        # Reveals: participants 1, 3, 4, 6 ..., the highest first, one more that is void in between.
        self.index = [1 + i + i // 2 for i in range(n)]
        self.void = 2 if 2 not in self.index else max(self.index) + 1
        listed = sorted([*zip(self.index, range(n)), (self.void, None)], reverse=True)
        self.reveals, self.position, acc = [], {}, ZERO32
        for place, (index, row) in enumerate(listed):
            root, norm = self.levels[row][-1][0] if row is not None else (some_bytes(f"{name} void", 32), 5)
            who, cid_hash = address(f"{name} {index}"), some_bytes(f"{name} cid {index}", 32)
            acc = keccak256(b"".join(map(word, [acc, index, who, root, norm, cid_hash])))
            self.reveals.append({"index": index, "participant": hexed(who), "root": hexed(root), "normSq": str(norm), "cidHash": hexed(cid_hash)})
            if row is not None:
                self.position[row] = place
        self.accumulator, self.bitmap = acc, 1 << self.void
        self.base_levels = model_tree(chunks_of(self.base, self.K, "i"))
        self.old_levels = model_tree(chunks_of(self.old, self.K, "i"))
        self.model_levels = self.lying_model(chunks_of(self.model, self.K, "i"))
        self.state_levels = model_tree(chunks_of(self.state, self.K, "i")) if self.stateful else None
        self.gram = self.lying_gram() if mixing else None
        roots = [
            self.model_levels[-1][0],
            self.state_levels[-1][0] if self.stateful else ZERO32,
            self.gram[-1][0][0] if mixing else ZERO32,
            sha(self.mixing) if mixing else ZERO32,
            keccak256(word(acc) + word(self.bitmap)),
        ]
        cids = cid_bytes(f"{name} model", 0x70), cid_bytes(f"{name} evidence")
        self.publication, self.publication_hash = publication_fields(roots, *cids), publication(roots, *cids)
        before = [self.base_levels[-1][0], self.old_levels[-1][0], ZERO32, ZERO32, some_bytes(f"{name} set", 32)]
        self.previous = publication_fields(before, *cids) if self.has_old else None
        self.previous_hash = publication(before, *cids) if self.has_old else ZERO32

    def lying_model(self, chunks):
        level = [model_leaf(c) for c in chunks] + [ZERO32] * (2 ** depth_of(len(chunks)) - len(chunks))
        levels = []
        while True:
            for (l, p), h in self.model_nodes.items():
                if l == len(levels):
                    level[p] = h
            levels.append(level)
            if len(level) == 1:
                return levels
            level = [model_node(level[i], level[i + 1]) for i in range(0, len(level), 2)]

    def lying_gram(self):
        zero = [[0] * self.n for _ in range(self.n)]
        leaves = self.gram_leaves
        level = [(sha(b"\x10", gram_matrix_hash(g)), g) for g in leaves] + [(ZERO32, zero)] * (2 ** depth_of(len(leaves)) - len(leaves))
        levels = []
        while True:
            for (l, p), matrix in self.gram_claims.items():
                if l == len(levels):
                    level[p] = (level[p][0], matrix)
            levels.append(level)
            if len(level) == 1:
                return levels
            joined = []
            for (hl, gl), (hr, gr) in zip(level[::2], level[1::2]):
                h = sha(b"\x11", hl, gram_matrix_hash(gl), hr, gram_matrix_hash(gr))
                joined.append((h, [[x + y for x, y in zip(a, b)] for a, b in zip(gl, gr)]))
            level = joined

    def facts(self):
        optimizer, lr, momentum = self.step
        return {
            "parameters": {
                "dimension": self.d,
                "chunkSize": self.K,
                "modelFractionBits": 24,
                "updateFractionBits": 16,
                "rule": {"preAggregation": self.pre, "combine": self.combine, "byzantine": self.f, "selected": self.m},
                "serverStep": {"optimizer": optimizer, "learningRateQ16": lr, "momentumQ16": momentum},
            },
            "accumulator": hexed(self.accumulator),
            "voidedBitmap": str(self.bitmap),
            "validUpdates": self.n,
            "baseModelRoot": hexed(self.base_levels[-1][0]),
            "publicationHash": hexed(self.publication_hash),
            "previousPublicationHash": hexed(self.previous_hash),
        }

    # ---- proofs, as docs/spec/disputes.md has them

    def gram_path(self, level, position):
        out = b""
        while level < len(self.gram) - 1:
            other_hash, other = self.gram[level][position ^ 1]
            out += other_hash + gram_matrix_hash(other) + gram_matrix_hash(self.gram[level][position][1])
            level, position = level + 1, position >> 1
        return out

    def node_path(self, levels, level, position):
        return path_of(levels[level:], position)

    def bad_sum(self, row, level, position, preimage=None, reveals=None):
        h, claimed = self.levels[row][level][position]
        if preimage is None:
            if level:
                (hl, sl), (hr, sr) = self.levels[row][level - 1][2 * position : 2 * position + 2]
                preimage = b"\x01" + hl + u64(sl) + hr + u64(sr)
            else:
                chunk = self.chunks[row][position]
                preimage = next(p for s in (claimed, squares(chunk)) for p in [b"\x00" + u64(s) + chunk] if sha(p) == h)
        return {
            "kind": "badSum",
            "round": 9,
            "reveals": self.reveals if reveals is None else reveals,
            "accused": self.position[row],
            "opening": {
                "level": level,
                "position": position,
                "claimedSum": str(claimed),
                "preimage": hexed(preimage),
                "hash": hexed(ZERO32 if preimage else h),
                "path": [{"hash": hexed(a), "sum": str(s)} for a, s in self.node_path(self.levels[row], level, position)],
            },
        }

    def bad_coordinate(self, coordinate, about="model"):
        """A step with state is accused of its state or of its model, each with what that one is computed from."""
        chunk = coordinate // self.K
        models, state_before = not self.stateful or about == "model", self.stateful and about == "state"
        updates = not self.stateful or about == "state"

        def opened(levels, vector):
            return chunks_of(vector, self.K, "i")[chunk] + b"".join(path_of(levels, chunk))

        rows = []
        for row in range(self.n):
            total = self.levels[row][0][chunk][1]
            rows.append(hexed(u64(total) + self.chunks[row][chunk] + sum_steps(path_of(self.levels[row], chunk))))
        return {
            "kind": "badCoordinate",
            "round": 9,
            "chunk": chunk,
            "coordinate": coordinate % self.K,
            "publication": self.publication,
            "previous": self.previous if state_before else None,
            "reveals": self.reveals if updates else [],
            "rows": rows if updates else [],
            "oldModel": hexed(opened(self.base_levels, self.base) if models else b""),
            "newModel": hexed(opened(self.model_levels, self.model) if models else b""),
            "oldState": hexed(opened(self.old_levels, self.old) if state_before and self.has_old else b""),
            "newState": hexed(opened(self.state_levels, self.state) if self.stateful else b""),
            "mixing": hexed(self.mixing if updates else b""),
        }

    def bad_vacancy(self, tree_name, level, position):
        if tree_name == "gram":
            h, path = self.gram[level][position][0], self.gram_path(level, position)
        else:
            levels = self.model_levels if tree_name == "model" else self.state_levels
            h, path = levels[level][position], b"".join(self.node_path(levels, level, position))
        return {
            "kind": "badVacancy",
            "round": 9,
            "publication": self.publication,
            "tree": tree_name,
            "level": level,
            "position": position,
            "hash": hexed(h),
            "path": hexed(path),
        }

    def span_of(self, row, span):
        out = b""
        for c in range(GRAM_SPAN * span, min(GRAM_SPAN * (span + 1), len(self.chunks[row]))):
            out += u64(self.levels[row][0][c][1]) + self.chunks[row][c]
        return out + sum_steps(self.node_path(self.levels[row], min(4, len(self.levels[row]) - 1), span))

    def bad_gram_leaf(self, span, first, second, shown=True):
        matrix = self.gram_leaves[span]
        rows = [b"\x13" + struct.pack(f">{self.n - i}q", *matrix[i][i:]) for i in range(self.n)]
        return {
            "kind": "badGramLeaf",
            "round": 9,
            "span": span,
            "first": first,
            "second": second,
            "publication": self.publication,
            "reveals": self.reveals,
            "matrix": hexed(b"\x12" + b"".join(map(sha, rows))),
            "row": hexed(rows[first] if shown else b""),
            "path": hexed(self.gram_path(0, span)),
            "firstChunks": hexed(self.span_of(first, span) if shown else b""),
            "secondChunks": hexed(self.span_of(second, span) if shown else b""),
        }

    def children(self, level, position):
        (hl, gl), (hr, gr) = self.gram[level - 1][2 * position : 2 * position + 2]
        return hl + hr + i64s(gl) + i64s(gr)

    def bad_gram_node(self, level, position):
        return {
            "kind": "badGramNode",
            "round": 9,
            "level": level,
            "position": position,
            "publication": self.publication,
            "reveals": self.reveals,
            "children": hexed(self.children(level, position)),
            "path": hexed(self.gram_path(level, position)),
        }

    def bad_mixing(self, mixing=None):
        top = len(self.gram) - 1
        nearest = []
        if self.pre == "multiKrum":
            for i in range(self.n):
                others = sorted((j for j in range(self.n) if j != i), key=lambda j: (sum((a - b) ** 2 for a, b in zip(self.rows[i], self.rows[j])), j))
                nearest.append(str(sum(1 << j for j in others[: self.n - self.f - 2])))
        return {
            "kind": "badMixing",
            "round": 9,
            "publication": self.publication,
            "reveals": self.reveals,
            "root": hexed(self.children(top, 0) if top else i64s(self.gram_leaves[0])),
            "mixing": hexed(self.right_mixing if mixing is None else mixing),
            "nearest": nearest,
        }


def disputes():
    cases = []

    def add(name, scene, proof, verdict):
        cases.append({"name": name, "round": scene.facts(), "proof": proof, "verdict": verdict})

    def lying_sums(row, level, position, delta, own_leaf=False):
        def lie(scene):
            leaves = [sum_leaf(c) for c in scene.chunks[row]]
            levels, nodes = [], leaves + [(ZERO32, 0)] * (2 ** depth_of(len(leaves)) - len(leaves))
            while True:
                if level == len(levels):
                    h, s = nodes[position]
                    if own_leaf:
                        h = sha(b"\x00", u64(s + delta), scene.chunks[row][position])
                    nodes[position] = (h, s + delta)
                levels.append(nodes)
                if len(nodes) == 1:
                    break
                nodes = [sum_node(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
            scene.levels[row] = levels

        return lie

    honest = Scene("honest sums")
    for level, position in [(0, 0), (0, 4), (1, 1), (1, 2), (2, 0), (3, 0)]:
        add(f"an honest node of level {level}", honest, honest.bad_sum(1, level, position), "innocent")
    add("an honest zero leaf beyond the last chunk", honest, honest.bad_sum(1, 0, 6, b""), "innocent")
    add("an honest vacant node", honest, honest.bad_sum(1, 1, 3, b""), "innocent")
    for name, args in [
        ("a leaf that hashes a smaller sum", (1, 0, 2, -7, True)),
        ("a leaf whose parent claims a smaller sum", (1, 0, 2, -7)),
        ("an inner node that claims more than its children", (1, 1, 1, 10**9)),
        ("a root that claims less than its children", (1, 3, 0, -5)),
        ("a sum beyond the last chunk", (1, 0, 5, 1)),
        ("a sum of a node beyond the last chunk", (1, 1, 3, 2**40)),
    ]:
        scene = Scene(name, lie=lying_sums(*args))
        vacant = args[2] << args[1] >= 5
        add(name, scene, scene.bad_sum(1, args[1], args[2], b"" if vacant else None), "guilty")
        other = next(p for p in (0, 1) if (args[1], p) != (args[1], args[2])) if args[1] < 3 else None
        if other is not None:
            add(f"{name}: another node", scene, scene.bad_sum(1, args[1], other), "innocent")

    def dirty(scene):
        scene.chunks[0][-1] = scene.chunks[0][-1][:-2] + b"\x03\x00"
        scene.levels[0] = sum_tree(scene.chunks[0])

    scene = Scene("padding", lie=dirty)
    add("a coordinate in the padding", scene, scene.bad_sum(0, 0, 4), "guilty")
    truncated = honest.bad_sum(1, 0, 0)
    truncated["opening"]["path"] = truncated["opening"]["path"][:-1]
    add("a truncated path", honest, truncated, "malformed")
    elsewhere = honest.bad_sum(1, 0, 0)
    elsewhere["opening"]["position"] = 8
    add("a position beyond the tree", honest, elsewhere, "malformed")
    add("one reveal twice", honest, honest.bad_sum(1, 0, 0, reveals=honest.reveals + honest.reveals[:1]), "malformed")

    for rule, f, m, step, first in [
        ("fedavg", 0, 0, FED_AVG, False),
        ("median", 1, 0, FED_AVG_M, False),
        ("trimmed-mean", 1, 0, FED_AVG_M, True),
        ("krum", 0, 1, FED_AVG, False),
        ("multi-krum", 0, 0, FED_AVG_M, False),
        ("nnm+median", 1, 0, FED_AVG, False),
        ("nnm+trimmed-mean", 1, 0, FED_AVG_M, False),
    ]:
        name = f"{rule}, {step[0]}"
        scene = Scene(name, rule, f, m, step, first=first)
        add(f"a right coordinate: {name}", scene, scene.bad_coordinate(33), "innocent")
        add(f"a right coordinate of the padding: {name}", scene, scene.bad_coordinate(79), "innocent")

        def wrong_model(scene):
            scene.model[33] += 1

        scene = Scene(name, rule, f, m, step, first=first, lie=wrong_model)
        add(f"a wrong coordinate of the model: {name}", scene, scene.bad_coordinate(33), "guilty")
        add(f"beside a wrong coordinate: {name}", scene, scene.bad_coordinate(32), "innocent")
        if step is FED_AVG_M:

            def wrong_state(scene):
                scene.state[69] -= 1

            scene = Scene(name, rule, f, m, step, first=first)
            add(f"a right coordinate of the state: {name}", scene, scene.bad_coordinate(33, "state"), "innocent")
            scene = Scene(name, rule, f, m, step, first=first, lie=wrong_state)
            add(f"a wrong coordinate of the state: {name}", scene, scene.bad_coordinate(69, "state"), "guilty")
            add(f"beside a wrong coordinate of the state: {name}", scene, scene.bad_coordinate(70, "state"), "innocent")
            add(f"a right model beside a wrong state: {name}", scene, scene.bad_coordinate(69), "guilty")
            both = {**scene.bad_coordinate(69, "state"), "oldModel": scene.bad_coordinate(69)["oldModel"]}
            add(f"a part too many: {name}", scene, both, "malformed")
            add(f"rows beside a model that follows from the state: {name}", scene, {**scene.bad_coordinate(69), "rows": both["rows"]}, "malformed")
    short = honest.bad_coordinate(33, "state")
    short["rows"] = short["rows"][1:]
    add("a row left out", honest, short, "malformed")
    for field in ["oldModel", "newModel"]:
        cut = honest.bad_coordinate(33)
        cut[field] = cut[field][:-64]
        add(f"a truncated opening: {field}", honest, cut, "malformed")

    stateful = Scene("vacancies", "nnm+fedavg", 1, 0, FED_AVG_M, d=16 * 16 * 4 + 5)
    for tree_name, level, position in [("model", 0, 66), ("model", 3, 15), ("state", 1, 63), ("gram", 0, 5), ("gram", 1, 3)]:
        add(f"an honest vacancy of the {tree_name} tree, level {level}", stateful, stateful.bad_vacancy(tree_name, level, position), "innocent")

    def occupied(scene):
        scene.model_nodes[(1, 63)] = some_bytes("occupied", 32)

    scene = Scene("occupied", "nnm+fedavg", 1, 0, FED_AVG_M, d=16 * 16 * 4 + 5, lie=occupied)
    add("something beyond the last chunk of a model", scene, scene.bad_vacancy("model", 1, 63), "guilty")

    def shifted(matrix, i, j, delta):
        out = [list(row) for row in matrix]
        out[i][j] += delta
        if i != j:
            out[j][i] += delta
        return out

    def claims(level, position, delta):
        def lie(scene):
            spans = scene.gram_leaves[position << level : (position + 1) << level]
            total = [[sum(g[i][j] for g in spans) for j in range(scene.n)] for i in range(scene.n)]
            scene.gram_claims[(level, position)] = shifted(total, 0, 2, delta)

        return lie

    large = dict(rule="nnm+median", f=1, n=4, d=16 * 16 * 4 + 5)
    scene = Scene("an occupied span", **large, lie=claims(0, 6, 1))
    add("a matrix claimed beyond the last span", scene, scene.bad_vacancy("gram", 0, 6), "guilty")
    scene = Scene("honest gram", **large)
    add("an honest entry of a Gram leaf", scene, scene.bad_gram_leaf(4, 1, 2), "innocent")
    add("an honest entry of the diagonal", scene, scene.bad_gram_leaf(0, 3, 3), "innocent")
    add("an honest Gram node", scene, scene.bad_gram_node(1, 2), "innocent")
    add("an honest Gram node below the root", scene, scene.bad_gram_node(2, 0), "innocent")
    upside_down = scene.bad_gram_leaf(4, 1, 2)
    upside_down["first"], upside_down["second"] = 2, 1
    add("an entry below the diagonal", scene, upside_down, "malformed")
    add("the root as a Gram node", scene, {**scene.bad_gram_node(2, 0), "level": 3, "path": "0x"}, "malformed")

    def wrong_entry(scene):
        scene.gram_leaves[2] = shifted(scene.gram_leaves[2], 1, 3, -1)

    scene = Scene("wrong entry", **large, lie=wrong_entry)
    add("a wrong entry of a Gram leaf", scene, scene.bad_gram_leaf(2, 1, 3), "guilty")
    add("beside a wrong entry", scene, scene.bad_gram_leaf(2, 1, 2), "innocent")
    scene = Scene("wrong claim", **large, lie=claims(0, 3, 4))
    add("another matrix claimed for a leaf", scene, scene.bad_gram_leaf(3, 0, 0, shown=False), "guilty")
    for level, position in [(1, 0), (1, 1), (2, 1)]:
        scene = Scene(f"wrong node {level} {position}", **large, lie=claims(level, position, 2**33))
        add(f"a Gram node of level {level} that does not add up", scene, scene.bad_gram_node(level, position), "guilty")

    for rule, f, m, n, d in [("krum", 1, 1, 6, 70), ("multi-krum", 1, 0, 6, 300), ("nnm+trimmed-mean", 1, 0, 5, 300), ("nnm+fedavg", 2, 0, 5, 70)]:
        scene = Scene(f"{rule} mixing", rule, f, m, n=n, d=d)
        add(f"the right mixing matrix: {rule}, d = {d}", scene, scene.bad_mixing(), "innocent")

        def exchanged(scene):
            # Exchange the last two columns, which is another matrix of the rule's shape or none at all.
            body, width = scene.mixing[9:], 4 * scene.n
            rows = [body[i : i + width] for i in range(0, len(body), width)]
            scene.mixing = scene.mixing[:9] + b"".join(r[:-8] + r[-4:] + r[-8:-4] for r in rows[::-1])
            assert scene.mixing != scene.right_mixing

        scene = Scene(f"{rule} mixing", rule, f, m, n=n, d=d, lie=exchanged)
        add(f"another mixing matrix: {rule}, d = {d}", scene, scene.bad_mixing(), "guilty")
        add(f"the published matrix as the right one: {rule}, d = {d}", scene, scene.bad_mixing(scene.mixing), "malformed")
    ties = Scene("ties", "multi-krum", 1, 2, n=6, low=0, high=0)
    add("a mixing matrix of rows that are all the same", ties, ties.bad_mixing(), "innocent")
    return {"about": "Proofs and their verdicts: docs/spec/disputes.md", "cases": cases}


def rewards():
    cases = []
    for name, reward, aggregator_bps, contribution_bps, rows in [
        ("equal shares", 1000, 2000, 0, [[1], [2], [3]]),
        ("half by score", 1000, 2000, 5000, [[4, 0], [0, 1], [-1, 0]]),
        ("all by score", 10**18 + 7, 0, 10000, [some_ints(f"reward {i}", 8, -900, 900) for i in range(5)]),
        ("nobody moved", 100, 1000, 10000, [[0], [0], [0]]),
        ("everything to the aggregator", 99, 10000, 10000, [[5], [6]]),
        ("one participant", 1, 1, 9999, [[3]]),
        ("opposites: no scores at all", 1000, 0, 3333, [[5], [-5]]),
        ("extremes", 2**96 - 1, 3333, 3333, [[32767] * 40, [-32768] * 40, [32767] * 40]),
    ]:
        n, g = len(rows), gram_of(rows)
        scores = [max(0, sum(row)) for row in g]
        rest = reward - reward * aggregator_bps // 10000
        scored = rest * contribution_bps // 10000
        weights = scores if sum(scores) else [1] * n
        parts = [(rest - scored) // n + scored * w // sum(weights) for w in weights]
        cases.append(
            {
                "name": name,
                "reward": str(reward),
                "aggregatorRewardBps": aggregator_bps,
                "contributionRewardBps": contribution_bps,
                "rows": n,
                "gram": [str(v) for v in upper(g)],
                "participants": [str(p) for p in parts],
                "aggregator": str(reward - sum(parts)),
            }
        )
    return {"about": "Rewards of a round: docs/spec/round.md", "cases": cases}


# ---------------------------------------------------------------------------------------------------- files


def written(value, indent=0, level=0):
    """JSON with one field of a case per line and arrays of plain values on one line."""
    pad_in, pad_out = " " * (indent + 1), " " * indent
    if isinstance(value, dict) and level < 3:
        inner = ",\n".join(f"{pad_in}{json.dumps(k)}: {written(v, indent + 1, level + 1)}" for k, v in value.items())
        return "{\n" + inner + "\n" + pad_out + "}"
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return "[\n" + ",\n".join(pad_in + written(v, indent + 1, level + 1 if isinstance(v, dict) else level) for v in value) + "\n" + pad_out + "]"
    return json.dumps(value)


def main():
    files = {
        "merkleSum.json": merkle_sum,
        "merkle.json": merkle,
        "commitHash.json": commit_hashes,
        "accumulator.json": accumulators,
        "publicationHash.json": publications,
        "ruleParameters.json": rule_parameters,
        "ruleCompositions.json": rule_compositions,
        "aggregation.json": aggregations,
        "combine.json": combines,
        "serverSteps.json": server_steps,
        "gramTree.json": gram_trees,
        "disputes.json": disputes,
        "rewards.json": rewards,
    }
    stale = []
    for name, make in files.items():
        content = make()
        text = written(content) + "\n"
        assert json.loads(text) == json.loads(json.dumps(content))
        target = os.path.join(HERE, name)
        if "--check" in sys.argv:
            with open(target, encoding="utf-8") as file:
                if file.read() != text:
                    stale.append(name)
        else:
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"{name}: {len(content['cases'])} cases, {len(content.get('refused', []))} refused, {len(text)} bytes")
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python3 test/vectors/generate.py")


if __name__ == "__main__":
    main()

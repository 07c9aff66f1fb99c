// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice A sibling on a path of a Merkle-sum tree.
struct SumSibling {
    bytes32 hash;
    uint64 sum;
}

/// @title Positional openings of an update's Merkle-sum tree
/// @notice leaf = SHA-256(0x00 | u64 sum | 2K bytes), node = SHA-256(0x01 | hL | u64 sL | hR | u64 sR), sums
///         big-endian. The root binds every coordinate and the vector's squared L2 norm. Depth is fixed, the index is
///         consumed bit by bit, leaves and nodes are tagged, both children's sums are hashed and range-checked (the
///         break of trees that do not: ePrint 2018/1139), and the zero root opens to nothing.
/// @dev The TypeScript twin is protocol/commitment/merkleSum.ts; both are held to test/vectors/merkleSum.json.
library MerkleSum {
    bytes1 internal constant LEAF_TAG = 0x00;
    bytes1 internal constant NODE_TAG = 0x01;
    uint256 internal constant MAX_DEPTH = 32;

    /// @notice Whether `leaf` is chunk `index` of the update that (root, normSq) commits to.
    /// @param depth levels above the leaves, from the federation's dimension and chunk size (never from the prover)
    /// @param leaf the chunk's 2K payload bytes
    /// @param path `depth` siblings, leaf level first
    function verifyLeaf(
        bytes32 root,
        uint64 normSq,
        uint256 depth,
        uint256 index,
        bytes memory leaf,
        SumSibling[] memory path
    ) internal pure returns (bool) {
        uint256 sum = sumOfSquares(leaf);
        if (sum > type(uint64).max) return false;
        // SAFETY: range-checked on the line above.
        return verifyPath(root, normSq, depth, index, leafHash(uint64(sum), leaf), uint64(sum), path);
    }

    /// @notice Whether a leaf with this hash and this CLAIMED sum stands at `index`. What shows a leaf whose sum is a
    ///         lie.
    function verifyPath(
        bytes32 root,
        uint64 normSq,
        uint256 depth,
        uint256 index,
        bytes32 hash,
        uint64 sum,
        SumSibling[] memory path
    ) internal pure returns (bool) {
        // INVARIANT (C-70): the zero root opens to nothing.
        if (root == bytes32(0)) return false;
        // INVARIANT (C-71): the path has exactly the tree's depth and the index is one of its positions.
        if (depth > MAX_DEPTH || path.length != depth || index >> depth != 0) return false;
        uint256 total = sum;
        for (uint256 level = 0; level < depth; ++level) {
            SumSibling memory sibling = path[level];
            // SAFETY: total < 2^64 here, so its cast below loses nothing.
            hash = (index >> level) & 1 == 0
                ? nodeHash(hash, uint64(total), sibling.hash, sibling.sum)
                : nodeHash(sibling.hash, sibling.sum, hash, uint64(total));
            total += sibling.sum;
            // INVARIANT (C-72): no sum on the path leaves 64 bits, so none wraps.
            if (total > type(uint64).max) return false;
        }
        // INVARIANT (C-73): hash AND sum arrive at the commitment.
        return hash == root && total == normSq;
    }

    function leafHash(uint64 sum, bytes memory leaf) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(LEAF_TAG, sum, leaf));
    }

    function nodeHash(
        bytes32 leftHash,
        uint64 leftSum,
        bytes32 rightHash,
        uint64 rightSum
    ) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(NODE_TAG, leftHash, leftSum, rightHash, rightSum));
    }

    /// @notice Sum of squares of a leaf's int16 little-endian coordinates. An odd last byte is ignored; the hash is
    ///         over all bytes.
    function sumOfSquares(bytes memory leaf) internal pure returns (uint256 sum) {
        uint256 count = leaf.length / 2;
        for (uint256 i = 0; i < count; ++i) {
            int256 q = int16At(leaf, i);
            // SAFETY: a square is not negative and at most 2^30; memory cannot hold the 2^34 of them that reach 2^64.
            unchecked {
                sum += uint256(q * q);
            }
        }
    }

    /// @notice Coordinate `i` of a leaf.
    function int16At(bytes memory leaf, uint256 i) internal pure returns (int16) {
        return int16(uint16(uint8(leaf[2 * i])) | (uint16(uint8(leaf[2 * i + 1])) << 8));
    }
}

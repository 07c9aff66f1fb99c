// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Positional openings of the tree of a model snapshot or a server state
/// @notice leaf = SHA-256(0x02 | 4K bytes), node = SHA-256(0x03 | hL | hR). Tags differ from the update tree's, so no
///         node of one is a node of the other. OpenZeppelin's MerkleProof sorts pairs and so cannot tell positions
///         apart: not used here.
/// @dev The TypeScript twin is protocol/commitment/merkle.ts; both are held to test/vectors/merkle.json.
library MerklePosition {
    bytes1 internal constant LEAF_TAG = 0x02;
    bytes1 internal constant NODE_TAG = 0x03;
    uint256 internal constant MAX_DEPTH = 32;

    /// @notice Whether `leaf` (4K bytes) is chunk `index` of the vector under `root`.
    /// @param depth levels above the leaves, from the federation's dimension and chunk size (never from the prover)
    /// @param path `depth` siblings, leaf level first
    function verifyLeaf(
        bytes32 root,
        uint256 depth,
        uint256 index,
        bytes memory leaf,
        bytes32[] memory path
    ) internal pure returns (bool) {
        // INVARIANT (C-74): zero root, wrong depth and an index beyond the tree open nothing.
        if (root == bytes32(0) || depth > MAX_DEPTH || path.length != depth || index >> depth != 0) return false;
        bytes32 hash = leafHash(leaf);
        for (uint256 level = 0; level < depth; ++level) {
            hash = (index >> level) & 1 == 0 ? nodeHash(hash, path[level]) : nodeHash(path[level], hash);
        }
        return hash == root;
    }

    function leafHash(bytes memory leaf) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(LEAF_TAG, leaf));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(NODE_TAG, left, right));
    }
}

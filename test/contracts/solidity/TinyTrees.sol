// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SumSibling} from "../../../contracts/libraries/MerkleSum.sol";

/// @notice For tests only: updates and models of 40 coordinates in chunks of 16 (three chunks, a tree of four leaves of which the
///         last is vacant), their trees and their openings, written from docs/spec/commitments.md without the contracts' libraries.
library TinyTrees {
    uint256 internal constant K = 16;
    uint256 internal constant DIMENSION = 40;
    uint256 internal constant CHUNKS = 3;
    uint256 internal constant DEPTH = 2;
    uint256 internal constant MODEL_BYTES = CHUNKS * K * 4;

    /// How an update's tree lies about a sum.
    enum Lie {
        None,
        Leaf,
        Node,
        Vacancy
    }

    struct SumTree {
        bytes32[4] leaf;
        uint64[4] leafSum;
        bytes32[2] node;
        uint64[2] nodeSum;
        bytes32 root;
        uint64 normSq;
    }

    // ---- updates

    /// @dev Coordinate `i` of the update that grows from a seed: -128 to 127, and zero in the padding.
    function coordinate(uint256 seed, uint256 i) internal pure returns (int256) {
        if (i >= DIMENSION) return 0;
        return int8(uint8(keccak256(abi.encode(seed, i / K))[i % K]));
    }

    /// @dev The 2K bytes of a chunk, int16 little-endian.
    function chunk(uint256 seed, uint256 index) internal pure returns (bytes memory bytes_) {
        bytes_ = new bytes(2 * K);
        for (uint256 i = 0; i < K; ++i) {
            uint16 bits = uint16(int16(coordinate(seed, index * K + i)));
            bytes_[2 * i] = bytes1(uint8(bits));
            bytes_[2 * i + 1] = bytes1(uint8(bits >> 8));
        }
    }

    function squares(uint256 seed, uint256 index) internal pure returns (uint64 sum) {
        for (uint256 i = 0; i < K; ++i) {
            int256 q = coordinate(seed, index * K + i);
            sum += uint64(uint256(q * q));
        }
    }

    /// @dev The tree, honest or with one lie in it: a leaf that claims another sum, a node whose sum is not its children's, or
    ///      something in the vacant place.
    function sumTree(uint256 seed, Lie lie) internal pure returns (SumTree memory tree) {
        for (uint256 c = 0; c < CHUNKS; ++c) {
            tree.leafSum[c] = squares(seed, c);
            if (lie == Lie.Leaf && c == 0) tree.leafSum[c] = otherSum(tree.leafSum[c]);
            tree.leaf[c] = sha256(abi.encodePacked(bytes1(0x00), tree.leafSum[c], chunk(seed, c)));
        }
        if (lie == Lie.Vacancy) tree.leaf[3] = keccak256("nothing should be here");
        for (uint256 i = 0; i < 2; ++i) {
            tree.nodeSum[i] = tree.leafSum[2 * i] + tree.leafSum[2 * i + 1];
            if (lie == Lie.Node && i == 0) tree.nodeSum[i] = otherSum(tree.nodeSum[i]);
            tree.node[i] = sha256(nodePreimage(tree, i));
        }
        tree.root = sha256(
            abi.encodePacked(bytes1(0x01), tree.node[0], tree.nodeSum[0], tree.node[1], tree.nodeSum[1])
        );
        tree.normSq = tree.nodeSum[0] + tree.nodeSum[1];
    }

    function otherSum(uint64 sum) internal pure returns (uint64) {
        return sum == 0 ? 1 : sum - 1;
    }

    function nodePreimage(SumTree memory tree, uint256 i) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                bytes1(0x01),
                tree.leaf[2 * i],
                tree.leafSum[2 * i],
                tree.leaf[2 * i + 1],
                tree.leafSum[2 * i + 1]
            );
    }

    /// @dev Siblings of a leaf (level 0) or of a node below the root (level 1).
    function sumPath(
        SumTree memory tree,
        uint256 level,
        uint256 position
    ) internal pure returns (SumSibling[] memory path) {
        path = new SumSibling[](DEPTH - level);
        if (level == 0) path[0] = SumSibling(tree.leaf[position ^ 1], tree.leafSum[position ^ 1]);
        uint256 node = level == 0 ? position >> 1 : position;
        path[path.length - 1] = SumSibling(tree.node[node ^ 1], tree.nodeSum[node ^ 1]);
    }

    /// @dev 2K bytes | depth * (hash | sum)
    function updateOpening(SumTree memory tree, uint256 seed, uint256 index) internal pure returns (bytes memory) {
        uint256 node = index >> 1;
        return
            abi.encodePacked(
                chunk(seed, index),
                tree.leaf[index ^ 1],
                tree.leafSum[index ^ 1],
                tree.node[node ^ 1],
                tree.nodeSum[node ^ 1]
            );
    }

    /// @dev Whether the chunk's path adds up, so that its owner can answer for it.
    function opens(Lie lie, uint256 index) internal pure returns (bool) {
        if (lie == Lie.Leaf) return index != 0;
        if (lie == Lie.Node) return index == 2;
        return true;
    }

    // ---- models and server states

    function emptyModel() internal pure returns (bytes memory) {
        return new bytes(MODEL_BYTES);
    }

    function modelAt(bytes memory model, uint256 i) internal pure returns (int256) {
        uint32 bits;
        for (uint256 b = 0; b < 4; ++b) bits |= uint32(uint8(model[4 * i + b])) << uint32(8 * b);
        return int32(bits);
    }

    function setModelAt(bytes memory model, uint256 i, int256 value) internal pure {
        uint32 bits = uint32(int32(value));
        for (uint256 b = 0; b < 4; ++b) model[4 * i + b] = bytes1(uint8(bits >> (8 * b)));
    }

    function modelChunk(bytes memory model, uint256 index) internal pure returns (bytes memory bytes_) {
        bytes_ = new bytes(4 * K);
        for (uint256 i = 0; i < bytes_.length; ++i) bytes_[i] = model[index * 4 * K + i];
    }

    function modelLeaves(bytes memory model) internal pure returns (bytes32[4] memory leaves) {
        for (uint256 c = 0; c < CHUNKS; ++c) {
            leaves[c] = sha256(abi.encodePacked(bytes1(0x02), modelChunk(model, c)));
        }
    }

    function modelRoot(bytes memory model) internal pure returns (bytes32) {
        bytes32[4] memory leaves = modelLeaves(model);
        return _join(_join(leaves[0], leaves[1]), _join(leaves[2], leaves[3]));
    }

    /// @dev 4K bytes | depth * hash
    function modelOpening(bytes memory model, uint256 index) internal pure returns (bytes memory) {
        bytes32[4] memory leaves = modelLeaves(model);
        bytes32 other = index < 2 ? _join(leaves[2], leaves[3]) : _join(leaves[0], leaves[1]);
        return abi.encodePacked(modelChunk(model, index), leaves[index ^ 1], other);
    }

    function _join(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x03), left, right));
    }
}

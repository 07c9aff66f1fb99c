// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {GramTree} from "./GramTree.sol";
import {ModelOpening} from "./ModelOpening.sol";
import {UpdateOpening} from "./UpdateOpening.sol";
import {VectorLayout} from "./VectorLayout.sol";

/// @notice What an answer must open; from the chain, never from who answers.
/// @param root of the tree
/// @param normSq what an update's sums must add up to
/// @param chunk index of the chunk; in the Gram tree of the leaf
/// @param rows rows of the Gram matrix, in the Gram tree
struct AskedChunk {
    bytes32 root;
    uint64 normSq;
    uint32 chunk;
    uint8 rows;
}

/// @notice How vectors are cut.
struct VectorShape {
    uint256 dimension;
    uint256 chunkSize;
    uint256 chunks;
    uint256 depth;
}

/// @title Answers to availability challenges
/// @notice Update: 2K bytes | depth x (32-byte hash | u64 sum). Model: 4K bytes | depth x 32-byte hash. State: 4K bytes
///         of each of its vectors | depth x 32-byte hash.
///         Gram: the leaf's matrix (upper triangle, row-major, i64 big-endian) | levels x (sibling's hash | sibling's
///         matrix | own matrix as its parent claims it).
///         An answer is right in every respect that it shows: an update's leaf has the sum that the tree claims for it
///         and zeros in its padding. So whoever lied about the chunk that is asked for cannot answer.
/// @dev The TypeScript twins are in protocol/commitment/openings.ts; specified in docs/spec/disputes.md.
library ChunkAnswer {
    function shape(uint256 dimension, uint256 chunkSize) internal pure returns (VectorShape memory found) {
        found.dimension = dimension;
        found.chunkSize = chunkSize;
        found.chunks = VectorLayout.chunkCount(dimension, chunkSize);
        found.depth = VectorLayout.treeDepth(found.chunks);
    }

    /// @notice Leaves and depth of the Gram tree.
    function gramShape(VectorShape memory shape_) internal pure returns (uint256 spans, uint256 depth) {
        spans = VectorLayout.spanCount(shape_.chunks);
        depth = VectorLayout.treeDepth(spans);
    }

    /// @notice Bytes of an update's answer.
    function updateSize(VectorShape memory shape_) internal pure returns (uint256) {
        return 2 * shape_.chunkSize + UpdateOpening.SIBLING_BYTES * shape_.depth;
    }

    /// @notice Bytes of an answer from a model (one vector) or from a state of so many.
    function modelSize(VectorShape memory shape_, uint256 vectors) internal pure returns (uint256) {
        return ModelOpening.size(vectors * shape_.chunkSize, shape_.depth);
    }

    /// @notice Bytes of an answer from the Gram tree of n rows.
    function gramSize(VectorShape memory shape_, uint256 n) internal pure returns (uint256) {
        (, uint256 depth) = gramShape(shape_);
        return GramTree.triangleSize(n) + GramTree.LEVEL_BYTES * depth;
    }

    function opensUpdate(
        bytes calldata opening,
        AskedChunk memory asked,
        VectorShape memory shape_
    ) internal view returns (bool) {
        // INVARIANT (C-102): an answer has exactly its length, and the zero root opens to nothing.
        if (opening.length != updateSize(shape_) || asked.root == bytes32(0)) return false;
        uint256 leafBytes = 2 * shape_.chunkSize;
        bytes calldata leaf = opening[:leafBytes];
        if (!_padded(leaf, asked.chunk, shape_)) return false;
        uint256 sum = sumOfSquares(leaf);
        (bytes32 hash, uint256 total) = UpdateOpening.climb(
            _leafHash(leaf, sum),
            sum,
            asked.chunk,
            opening[leafBytes:]
        );
        return hash == asked.root && total == asked.normSq;
    }

    function opensModel(
        bytes calldata opening,
        AskedChunk memory asked,
        VectorShape memory shape_,
        uint256 vectors
    ) internal view returns (bool) {
        return ModelOpening.verify(opening, asked.root, vectors * shape_.chunkSize, shape_.depth, asked.chunk);
    }

    function opensGram(
        bytes calldata opening,
        AskedChunk memory asked,
        VectorShape memory shape_
    ) internal view returns (bool) {
        // INVARIANT (C-102): as above.
        if (opening.length != gramSize(shape_, asked.rows) || asked.root == bytes32(0)) return false;
        uint256 size = GramTree.triangleSize(asked.rows);
        bytes32 leaf = GramTree.leafHash(GramTree.matrixHash(opening[:size], asked.rows));
        return GramTree.climb(leaf, asked.chunk, opening[size:]) == asked.root;
    }

    /// @notice Sum of the squares of a chunk's int16 little-endian coordinates. K is a multiple of 16: whole words.
    /// @dev SAFETY: 4096 squares of at most 2^30 are below 2^64. MerkleSum.sumOfSquares, sixteen coordinates a turn.
    function sumOfSquares(bytes calldata leaf) internal pure returns (uint256 sum) {
        assembly ("memory-safe") {
            function squares(a) -> total {
                let x := signextend(1, a)
                total := mul(x, x)
                x := signextend(1, shr(16, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(32, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(48, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(64, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(80, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(96, a))
                total := add(total, mul(x, x))
                x := signextend(1, shr(112, a))
                total := add(total, mul(x, x))
            }
            let low := 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
            let end := add(leaf.offset, leaf.length)
            for { let from := leaf.offset } lt(from, end) { from := add(from, 32) } {
                // Swapping each lane's bytes makes the coordinates big-endian.
                let word := calldataload(from)
                word := or(shl(8, and(word, low)), and(shr(8, word), low))
                sum := add(sum, add(squares(word), squares(shr(128, word))))
            }
        }
    }

    /// @dev SHA-256(0x00 | u64 sum | 2K bytes).
    function _leafHash(bytes calldata leaf, uint256 sum) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            // The tag is the first byte of this word, the sum its next eight.
            mstore(buffer, shl(184, sum))
            calldatacopy(add(buffer, 9), leaf.offset, leaf.length)
            if iszero(staticcall(gas(), 2, buffer, add(leaf.length, 9), 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @dev Whether an update's chunk has zeros beyond the vector's end.
    function _padded(bytes calldata leaf, uint256 chunk, VectorShape memory shape_) private pure returns (bool) {
        if (chunk + 1 != shape_.chunks) return true;
        uint256 used = 2 * (shape_.dimension - chunk * shape_.chunkSize);
        for (uint256 i = used; i < leaf.length; i += 2) {
            if (leaf[i] != 0 || leaf[i + 1] != 0) return false;
        }
        return true;
    }
}

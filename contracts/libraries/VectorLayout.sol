// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title How a vector of d coordinates is cut into chunks, and how high the trees over them are
/// @notice Shapes come from the federation's parameters, never from a prover.
/// @dev The TypeScript twin is protocol/encoding/layout.ts; spans: protocol/commitment/gramTree.ts.
library VectorLayout {
    /// @notice Chunks whose partial inner products share a leaf of the Gram tree.
    uint256 internal constant GRAM_SPAN = 16;
    /// @notice Levels of an update's tree above the chunks of one span.
    uint256 internal constant GRAM_SPAN_LEVELS = 4;

    /// @notice ceil(d / K).
    function chunkCount(uint256 dimension, uint256 chunkSize) internal pure returns (uint256) {
        return (dimension + chunkSize - 1) / chunkSize;
    }

    /// @notice ceil(chunks / 16): leaves of the Gram tree.
    function spanCount(uint256 chunks) internal pure returns (uint256) {
        return (chunks + GRAM_SPAN - 1) / GRAM_SPAN;
    }

    /// @notice Levels above the leaves of the smallest perfect binary tree with at least `leaves` leaves.
    function treeDepth(uint256 leaves) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < leaves) ++depth;
    }
}

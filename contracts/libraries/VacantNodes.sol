// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {GramTree} from "./GramTree.sol";

/// @title What a subtree hashes to that lies wholly beyond a vector's last chunk
/// @notice Level 0 is 32 zero bytes (with the sum 0, or the matrix of zeros); above, nodes are joined like any others.
/// @dev The twin is `TreeKind.zero` in protocol/commitment/perfectTree.ts. At most 32 levels.
library VacantNodes {
    /// @notice Whether the node at `position` of `level` has no leaf that is there.
    function isVacant(uint256 level, uint256 position, uint256 leaves) internal pure returns (bool) {
        return position << level >= leaves;
    }

    /// @notice In the tree of an update.
    function update(uint256 level) internal view returns (bytes32 node) {
        assembly ("memory-safe") {
            // 0x01 | node | 0 | node | 0: the sums are bytes that are cleared once and never written.
            let buffer := mload(0x40)
            calldatacopy(buffer, calldatasize(), 96)
            mstore8(buffer, 1)
            for { } level { level := sub(level, 1) } {
                mstore(add(buffer, 1), node)
                mstore(add(buffer, 41), node)
                if iszero(staticcall(gas(), 2, buffer, 81, 0, 32)) { revert(0, 0) }
                node := mload(0)
            }
        }
    }

    /// @notice In the tree of a model or a server state.
    function model(uint256 level) internal view returns (bytes32 node) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 3)
            for { } level { level := sub(level, 1) } {
                mstore(add(buffer, 1), node)
                mstore(add(buffer, 33), node)
                if iszero(staticcall(gas(), 2, buffer, 65, 0, 32)) { revert(0, 0) }
                node := mload(0)
            }
        }
    }

    /// @notice In the Gram tree. `zeroMatrix` is GramTree.zeroMatrixHash(n).
    function gram(uint256 level, bytes32 zeroMatrix) internal view returns (bytes32 node) {
        for (uint256 i = 0; i < level; ++i) node = GramTree.nodeHash(node, zeroMatrix, node, zeroMatrix);
    }
}

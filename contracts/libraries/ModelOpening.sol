// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Packed openings of the tree of a model snapshot or a server state
/// @notice One chunk: 4K bytes | depth x 32-byte hash; of a state of several vectors 4K bytes of each, one after the
///         other (to this library a chunk of as many times K). The checks are those of MerklePosition (C-74), written
///         for calldata.
/// @dev The TypeScript twin is in protocol/dispute/; the bytes are specified in docs/spec/disputes.md.
library ModelOpening {
    /// @notice Bytes of the opening of one chunk.
    function size(uint256 chunkSize, uint256 depth) internal pure returns (uint256) {
        return 4 * chunkSize + 32 * depth;
    }

    /// @notice Whether `opening` shows chunk `index` of the vector under `root`.
    function verify(
        bytes calldata opening,
        bytes32 root,
        uint256 chunkSize,
        uint256 depth,
        uint256 index
    ) internal view returns (bool) {
        // INVARIANT (C-80): exact length, an index of the tree, no zero root.
        if (opening.length != size(chunkSize, depth) || index >> depth != 0 || root == bytes32(0)) return false;
        bytes32 hash;
        bytes calldata leaf = opening[:4 * chunkSize];
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 2)
            calldatacopy(add(buffer, 1), leaf.offset, leaf.length)
            if iszero(staticcall(gas(), 2, buffer, add(leaf.length, 1), 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
        return climb(hash, index, opening[4 * chunkSize:]) == root;
    }

    /// @notice Where a node at `position` of its level leads to along `path` (a multiple of 32 bytes, from its level up).
    function climb(bytes32 hash, uint256 position, bytes calldata path) internal view returns (bytes32 top) {
        assembly ("memory-safe") {
            top := hash
            // 0x03 | left | right
            let buffer := mload(0x40)
            mstore8(buffer, 3)
            let left := add(buffer, 1)
            let right := add(buffer, 33)
            let end := add(path.offset, path.length)
            for { let at := path.offset } lt(at, end) { at := add(at, 32) } {
                let side := shl(5, and(position, 1))
                mstore(add(left, side), top)
                calldatacopy(sub(right, side), at, 32)
                if iszero(staticcall(gas(), 2, buffer, 65, 0, 32)) { revert(0, 0) }
                top := mload(0)
                position := shr(1, position)
            }
        }
    }

    /// @notice Coordinate `k`, int32 little-endian.
    function coordinate(bytes calldata leaf, uint256 k) internal pure returns (int256 value) {
        bytes calldata four = leaf[4 * k:4 * k + 4];
        assembly ("memory-safe") {
            let word := calldataload(four.offset)
            value := signextend(3, or(or(byte(0, word), shl(8, byte(1, word))), or(shl(16, byte(2, word)), shl(24, byte(3, word)))))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title The commitment of a Gram matrix
/// @notice row i = SHA-256(0x13 | i64 G[i][i] | ... | i64 G[i][n-1])      matrix = SHA-256(0x12 | row 0 | ... | row n-1)
///         leaf  = SHA-256(0x10 | matrix)      node = SHA-256(0x11 | hash L | matrix L | hash R | matrix R)
///         A parent binds what its children's matrices are CLAIMED to be; nobody claims the root's. A triangle is the
///         upper one, row-major, i64 big-endian.
/// @dev The TypeScript twin is protocol/commitment/gramTree.ts; both are held to test/vectors/.
library GramTree {
    bytes1 internal constant LEAF_TAG = 0x10;
    bytes1 internal constant NODE_TAG = 0x11;
    bytes1 internal constant MATRIX_TAG = 0x12;
    bytes1 internal constant ROW_TAG = 0x13;
    /// @notice Bytes of one level of a path: sibling's hash | sibling's matrix | own matrix as the parent claims it.
    uint256 internal constant LEVEL_BYTES = 96;

    /// @notice Bytes of the upper triangle of n rows.
    function triangleSize(uint256 n) internal pure returns (uint256) {
        return 4 * n * (n + 1);
    }

    /// @notice Hash of a matrix. `triangle` has triangleSize(n) bytes.
    function matrixHash(bytes calldata triangle, uint256 n) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let rows := mload(0x40)
            let buffer := add(rows, add(64, mul(32, n)))
            mstore8(rows, 0x12)
            mstore8(buffer, 0x13)
            let from := triangle.offset
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                let length := mul(8, sub(n, i))
                calldatacopy(add(buffer, 1), from, length)
                if iszero(staticcall(gas(), 2, buffer, add(length, 1), add(add(rows, 1), mul(32, i)), 32)) {
                    revert(0, 0)
                }
                from := add(from, length)
            }
            if iszero(staticcall(gas(), 2, rows, add(mul(32, n), 1), 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @notice Hash of the sum of two matrices, and whether every entry of the sum is an i64.
    function sumHash(
        bytes calldata left,
        bytes calldata right,
        uint256 n
    ) internal view returns (bytes32 hash, bool fits) {
        assembly ("memory-safe") {
            fits := 1
            let rows := mload(0x40)
            let buffer := add(rows, add(64, mul(32, n)))
            mstore8(rows, 0x12)
            let l := left.offset
            let r := right.offset
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                mstore8(buffer, 0x13)
                let to := add(buffer, 1)
                let end := add(to, mul(8, sub(n, i)))
                for { } lt(to, end) { to := add(to, 8) } {
                    let total := add(sar(192, calldataload(l)), sar(192, calldataload(r)))
                    if iszero(eq(signextend(7, total), total)) { fits := 0 }
                    // Spills 24 zero bytes to where the next entries go, or beyond the row.
                    mstore(to, shl(192, total))
                    l := add(l, 8)
                    r := add(r, 8)
                }
                if iszero(staticcall(gas(), 2, buffer, sub(end, buffer), add(add(rows, 1), mul(32, i)), 32)) {
                    revert(0, 0)
                }
            }
            if iszero(staticcall(gas(), 2, rows, add(mul(32, n), 1), 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @notice left + right (`right` may be empty) as a full, symmetric matrix: word i * n + j is G[i][j].
    function sum(bytes calldata left, bytes calldata right, uint256 n) internal pure returns (int256[] memory gram) {
        gram = new int256[](n * n);
        bool alone = right.length == 0;
        assembly ("memory-safe") {
            let at := add(gram, 32)
            let l := left.offset
            let r := right.offset
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                for { let j := i } lt(j, n) { j := add(j, 1) } {
                    let value := sar(192, calldataload(l))
                    if iszero(alone) { value := add(value, sar(192, calldataload(r))) }
                    mstore(add(at, shl(5, add(mul(i, n), j))), value)
                    mstore(add(at, shl(5, add(mul(j, n), i))), value)
                    l := add(l, 8)
                    r := add(r, 8)
                }
            }
        }
    }

    function leafHash(bytes32 matrix) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0x10)
            mstore(add(buffer, 1), matrix)
            if iszero(staticcall(gas(), 2, buffer, 33, 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    function nodeHash(
        bytes32 leftHash,
        bytes32 leftMatrix,
        bytes32 rightHash,
        bytes32 rightMatrix
    ) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0x11)
            mstore(add(buffer, 1), leftHash)
            mstore(add(buffer, 33), leftMatrix)
            mstore(add(buffer, 65), rightHash)
            mstore(add(buffer, 97), rightMatrix)
            if iszero(staticcall(gas(), 2, buffer, 129, 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @notice Where a node at `position` of its level leads to along `path` (a multiple of 96 bytes): the root, when the
    ///         path is honest. Own matrices are those of the path; `claimedMatrix` gives the node's.
    function climb(bytes32 hash, uint256 position, bytes calldata path) internal view returns (bytes32 top) {
        assembly ("memory-safe") {
            top := hash
            // 0x11 | left hash | left matrix | right hash | right matrix
            let buffer := mload(0x40)
            mstore8(buffer, 0x11)
            let left := add(buffer, 1)
            let right := add(buffer, 65)
            let end := add(path.offset, path.length)
            for { let at := path.offset } lt(at, end) { at := add(at, 96) } {
                let side := shl(6, and(position, 1))
                let own := add(left, side)
                mstore(own, top)
                calldatacopy(add(own, 32), add(at, 64), 32)
                calldatacopy(sub(right, side), at, 64)
                if iszero(staticcall(gas(), 2, buffer, 129, 0, 32)) { revert(0, 0) }
                top := mload(0)
                position := shr(1, position)
            }
        }
    }

    /// @notice The node's matrix as its parent claims it. `path` is not empty: nobody claims the root's.
    function claimedMatrix(bytes calldata path) internal pure returns (bytes32) {
        return bytes32(path[64:96]);
    }

    /// @notice Hash of the matrix of zeros, which stands for vacant leaves.
    function zeroMatrixHash(uint256 n) internal view returns (bytes32 hash) {
        bytes memory zeros = new bytes(8 * n + 1);
        bytes memory rows = new bytes(32 * n + 1);
        assembly ("memory-safe") {
            mstore8(add(zeros, 32), 0x13)
            mstore8(add(rows, 32), 0x12)
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                let to := add(add(rows, 33), mul(32, i))
                if iszero(staticcall(gas(), 2, add(zeros, 32), add(mul(8, sub(n, i)), 1), to, 32)) { revert(0, 0) }
            }
            if iszero(staticcall(gas(), 2, add(rows, 32), add(mul(32, n), 1), 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @notice Whether a preimage of a leaf's matrix hash has its shape: 0x12 | n row hashes.
    function isMatrix(bytes calldata preimage, uint256 n) internal pure returns (bool) {
        return preimage.length == 1 + 32 * n && preimage[0] == MATRIX_TAG;
    }

    /// @notice Whether a preimage of a row's hash has its shape: 0x13 | n - i entries.
    function isRow(bytes calldata preimage, uint256 n, uint256 i) internal pure returns (bool) {
        return preimage.length == 1 + 8 * (n - i) && preimage[0] == ROW_TAG;
    }
}

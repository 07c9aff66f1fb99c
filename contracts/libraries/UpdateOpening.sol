// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {VectorLayout} from "./VectorLayout.sol";

/// @title Packed openings of an update's Merkle-sum tree
/// @notice One chunk:        u64 sum | 2K bytes | depth x (32-byte hash | u64 sum)
///         A span of chunks: c x (u64 sum | 2K bytes) | (depth - 4) x (32-byte hash | u64 sum)
///         Integers of the tree are big-endian, coordinates little-endian int16. Nothing is padded: a proof is mostly
///         calldata, and every byte of it costs up to 40 gas (EIP-7623). The checks are those of MerkleSum (C-70 to
///         C-73), written for calldata.
/// @dev A leaf's sum is taken as the tree claims it; that it is the true one is the business of the bad-sum proof. The
///      TypeScript twin is in protocol/dispute/; the bytes are specified in docs/spec/disputes.md.
library UpdateOpening {
    uint256 internal constant SUM_BYTES = 8;
    uint256 internal constant SIBLING_BYTES = 40;

    /// @notice Bytes of the opening of one chunk.
    function size(uint256 chunkSize, uint256 depth) internal pure returns (uint256) {
        return SUM_BYTES + 2 * chunkSize + SIBLING_BYTES * depth;
    }

    /// @notice Whether `opening` shows chunk `index` of the update that (root, normSq) commits to.
    function verify(
        bytes calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 chunkSize,
        uint256 depth,
        uint256 index
    ) internal view returns (bool) {
        // INVARIANT (C-80): an opening has exactly its length, its index is one of the tree's positions, and the zero
        // root opens to nothing.
        if (opening.length != size(chunkSize, depth) || index >> depth != 0 || root == bytes32(0)) return false;
        bytes calldata leaf = opening[:SUM_BYTES + 2 * chunkSize];
        bytes32 hash;
        uint256 sum;
        assembly ("memory-safe") {
            // 0x00 | sum | coordinates: the tag is the first byte of a zero word that the copy runs up to.
            let buffer := mload(0x40)
            mstore(buffer, 0)
            calldatacopy(add(buffer, 1), leaf.offset, leaf.length)
            if iszero(staticcall(gas(), 2, buffer, add(leaf.length, 1), 0, 32)) { revert(0, 0) }
            hash := mload(0)
            sum := shr(192, calldataload(leaf.offset))
        }
        (hash, sum) = climb(hash, sum, index, opening[SUM_BYTES + 2 * chunkSize:]);
        return hash == root && sum == normSq;
    }

    /// @notice Bytes of the opening of the `chunks` chunks of one span.
    function rangeSize(uint256 chunkSize, uint256 depth, uint256 chunks) internal pure returns (uint256) {
        uint256 levels = depth - _spanLevels(depth);
        return chunks * (SUM_BYTES + 2 * chunkSize) + SIBLING_BYTES * levels;
    }

    /// @notice Whether `opening` shows the chunks `span * 16` to `span * 16 + chunks - 1`, the leaves after them being
    ///         vacant.
    /// @param chunks how many chunks the span has, 1 to 16
    function verifyRange(
        bytes calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 chunkSize,
        uint256 depth,
        uint256 span,
        uint256 chunks
    ) internal view returns (bool) {
        uint256 levels = _spanLevels(depth);
        // INVARIANT (C-80): as above.
        if (opening.length != rangeSize(chunkSize, depth, chunks) || chunks > (uint256(1) << levels)) return false;
        if (span >> (depth - levels) != 0 || root == bytes32(0)) return false;
        (bytes32 hash, uint256 sum) = _subtree(opening, chunkSize, chunks, levels);
        (hash, sum) = climb(hash, sum, span, opening[chunks * (SUM_BYTES + 2 * chunkSize):]);
        return hash == root && sum == normSq;
    }

    /// @notice Coordinate `k` of a chunk whose sum and bytes start at the beginning of `leaf`.
    function coordinate(bytes calldata leaf, uint256 k) internal pure returns (int256 value) {
        uint256 low = uint8(leaf[SUM_BYTES + 2 * k]);
        uint256 high = uint8(leaf[SUM_BYTES + 2 * k + 1]);
        assembly ("memory-safe") {
            value := signextend(1, or(shl(8, high), low))
        }
    }

    /// @notice Inner product of the coordinates of two openings of the same `chunks` chunks, both verified.
    function innerProduct(
        bytes calldata x,
        bytes calldata y,
        uint256 chunkSize,
        uint256 chunks
    ) internal pure returns (int256 product) {
        uint256 stride = SUM_BYTES + 2 * chunkSize;
        // SAFETY: at most 16 * 4096 products of at most 2^30.
        for (uint256 chunk = 0; chunk < chunks; ++chunk) {
            uint256 from = chunk * stride + SUM_BYTES;
            uint256 to = (chunk + 1) * stride;
            product += innerProductOfChunk(x[from:to], y[from:to]);
        }
    }

    /// @notice Inner product of two chunks' bytes, equally many, a multiple of 32 (K is a power of two from 16).
    function innerProductOfChunk(bytes calldata x, bytes calldata y) internal pure returns (int256 product) {
        assembly ("memory-safe") {
            // Sixteen coordinates a word. Swapping each lane's bytes makes them big-endian.
            let low := 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
            let end := add(x.offset, x.length)
            let j := y.offset
            for { let i := x.offset } lt(i, end) { i := add(i, 32) } {
                let a := calldataload(i)
                let b := calldataload(j)
                a := or(shl(8, and(a, low)), and(shr(8, a), low))
                b := or(shl(8, and(b, low)), and(shr(8, b), low))
                for { let lane := 0 } lt(lane, 16) { lane := add(lane, 1) } {
                    product := add(product, mul(signextend(1, a), signextend(1, b)))
                    a := shr(16, a)
                    b := shr(16, b)
                }
                j := add(j, 32)
            }
        }
    }

    function _spanLevels(uint256 depth) private pure returns (uint256) {
        return depth < VectorLayout.GRAM_SPAN_LEVELS ? depth : VectorLayout.GRAM_SPAN_LEVELS;
    }

    /// @dev Hash and sum of the subtree of 2^levels leaves that starts with these chunks. Nodes lie in memory as
    ///      hash | sum, 40 bytes each, so that two neighbours with the tag before them are their parent's preimage.
    function _subtree(
        bytes calldata opening,
        uint256 chunkSize,
        uint256 chunks,
        uint256 levels
    ) private view returns (bytes32 hash, uint256 sum) {
        assembly ("memory-safe") {
            let nodes := add(mload(0x40), 32)
            let width := shl(levels, 1)
            let buffer := add(nodes, add(mul(width, 40), 64))
            let length := add(8, mul(2, chunkSize))
            let from := opening.offset
            mstore(buffer, 0)
            for { let i := 0 } lt(i, width) { i := add(i, 1) } {
                let node := add(nodes, mul(i, 40))
                switch lt(i, chunks)
                case 0 {
                    mstore(node, 0)
                    mstore(add(node, 32), 0)
                }
                default {
                    calldatacopy(add(buffer, 1), from, length)
                    if iszero(staticcall(gas(), 2, buffer, add(length, 1), node, 32)) { revert(0, 0) }
                    mstore(add(node, 32), shl(192, shr(192, calldataload(from))))
                    from := add(from, length)
                }
            }
            for { } gt(width, 1) { width := shr(1, width) } {
                for { let i := 0 } lt(i, shr(1, width)) { i := add(i, 1) } {
                    let pair := add(nodes, mul(i, 80))
                    let total := add(shr(192, mload(add(pair, 32))), shr(192, mload(add(pair, 72))))
                    // INVARIANT (C-72): no sum leaves 64 bits.
                    if shr(64, total) { revert(0, 0) }
                    // The byte before a pair belongs to pairs already joined, or to nobody.
                    mstore8(sub(pair, 1), 1)
                    let node := add(nodes, mul(i, 40))
                    if iszero(staticcall(gas(), 2, sub(pair, 1), 81, 0, 32)) { revert(0, 0) }
                    mstore(node, mload(0))
                    // Spills 24 bytes beyond the node: into pairs already joined.
                    mstore(add(node, 32), shl(192, total))
                }
            }
            hash := mload(nodes)
            sum := shr(192, mload(add(nodes, 32)))
        }
    }

    /// @notice From a node to the root along `path`, adding claimed sums. A sum that leaves 64 bits ends in the zero hash,
    ///      which is no root.
    function climb(
        bytes32 hash,
        uint256 sum,
        uint256 index,
        bytes calldata path
    ) internal view returns (bytes32 top, uint256 total) {
        assembly ("memory-safe") {
            top := hash
            total := sum
            // 0x01 | left hash | left sum | right hash | right sum
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            let left := add(buffer, 1)
            let right := add(buffer, 41)
            let end := add(path.offset, path.length)
            for { let at := path.offset } lt(at, end) { at := add(at, 40) } {
                let side := mul(40, and(index, 1))
                let own := add(left, side)
                mstore(own, top)
                // Spills 24 bytes: into the sibling's place, which is written next, or beyond the buffer.
                mstore(add(own, 32), shl(192, total))
                calldatacopy(sub(right, side), at, 40)
                if iszero(staticcall(gas(), 2, buffer, 81, 0, 32)) { revert(0, 0) }
                top := mload(0)
                total := add(total, shr(192, calldataload(add(at, 32))))
                if shr(64, total) {
                    top := 0
                    break
                }
                index := shr(1, index)
            }
        }
    }
}

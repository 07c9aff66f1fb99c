// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {MerklePosition} from "../../../contracts/libraries/MerklePosition.sol";
import {MerkleSum, SumSibling} from "../../../contracts/libraries/MerkleSum.sol";

/// @notice Random trees: every true opening is accepted, every single change to it is refused.
contract MerkleSumTest {
    uint256 private constant DEPTH = 3;
    uint256 private constant LEAVES = 8;
    uint256 private constant LEAF_BYTES = 32;

    function _leaf(bytes32 seed, uint256 index) private pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encode(seed, index)));
    }

    /// @dev The whole tree, the plain way: level 0 first.
    function _build(
        bytes32 seed
    ) private pure returns (bytes32[][] memory hashes, uint64[][] memory sums) {
        hashes = new bytes32[][](DEPTH + 1);
        sums = new uint64[][](DEPTH + 1);
        hashes[0] = new bytes32[](LEAVES);
        sums[0] = new uint64[](LEAVES);
        for (uint256 i = 0; i < LEAVES; ++i) {
            bytes memory leaf = _leaf(seed, i);
            sums[0][i] = uint64(MerkleSum.sumOfSquares(leaf));
            hashes[0][i] = MerkleSum.leafHash(sums[0][i], leaf);
        }
        for (uint256 level = 1; level <= DEPTH; ++level) {
            uint256 width = LEAVES >> level;
            hashes[level] = new bytes32[](width);
            sums[level] = new uint64[](width);
            for (uint256 i = 0; i < width; ++i) {
                uint256 l = 2 * i;
                sums[level][i] = sums[level - 1][l] + sums[level - 1][l + 1];
                hashes[level][i] = MerkleSum.nodeHash(
                    hashes[level - 1][l],
                    sums[level - 1][l],
                    hashes[level - 1][l + 1],
                    sums[level - 1][l + 1]
                );
            }
        }
    }

    function _open(
        bytes32 seed,
        uint256 index
    ) private pure returns (bytes32 root, uint64 normSq, SumSibling[] memory path) {
        (bytes32[][] memory hashes, uint64[][] memory sums) = _build(seed);
        path = new SumSibling[](DEPTH);
        for (uint256 level = 0; level < DEPTH; ++level) {
            uint256 sibling = (index >> level) ^ 1;
            path[level] = SumSibling({hash: hashes[level][sibling], sum: sums[level][sibling]});
        }
        return (hashes[DEPTH][0], sums[DEPTH][0], path);
    }

    function testFuzz_everyTrueOpeningIsAccepted(bytes32 seed, uint8 index_) public pure {
        uint256 index = index_ % LEAVES;
        (bytes32 root, uint64 normSq, SumSibling[] memory path) = _open(seed, index);
        require(MerkleSum.verifyLeaf(root, normSq, DEPTH, index, _leaf(seed, index), path), "true opening refused");
    }

    function testFuzz_noLeafStandsAtTwoPositions(bytes32 seed, uint8 index_, uint256 claimed) public pure {
        uint256 index = index_ % LEAVES;
        if (claimed == index) claimed = index ^ 1;
        (bytes32 root, uint64 normSq, SumSibling[] memory path) = _open(seed, index);
        require(!MerkleSum.verifyLeaf(root, normSq, DEPTH, claimed, _leaf(seed, index), path), "equivocation");
    }

    function testFuzz_everySingleChangeIsRefused(bytes32 seed, uint8 index_, uint256 where, uint64 delta) public pure {
        uint256 index = index_ % LEAVES;
        if (delta == 0) delta = 1;
        (bytes32 root, uint64 normSq, SumSibling[] memory path) = _open(seed, index);
        bytes memory leaf = _leaf(seed, index);
        uint256 kind = where % 5;
        uint256 level = (where >> 8) % DEPTH;
        unchecked {
            if (kind == 0) leaf[(where >> 16) % LEAF_BYTES] ^= bytes1(uint8(1 + (delta % 255)));
            else if (kind == 1) path[level].sum += delta;
            else if (kind == 2) path[level].hash ^= bytes32(uint256(delta));
            else if (kind == 3) normSq += delta;
            else root ^= bytes32(uint256(delta));
        }
        require(!MerkleSum.verifyLeaf(root, normSq, DEPTH, index, leaf, path), "a change went unseen");
    }

    function testFuzz_sumsMovedBetweenSiblingsAreRefused(bytes32 seed, uint8 index_, uint64 moved) public pure {
        uint256 index = index_ % LEAVES;
        (bytes32 root, uint64 normSq, SumSibling[] memory path) = _open(seed, index);
        moved = uint64(moved % (uint256(path[0].sum) + 1));
        if (moved == 0) return;
        path[0].sum -= moved;
        path[1].sum += moved;
        require(!MerkleSum.verifyLeaf(root, normSq, DEPTH, index, _leaf(seed, index), path), "sum moved unseen");
    }

    function testFuzz_aWrongDepthIsRefused(bytes32 seed, uint8 index_, uint8 depth) public pure {
        uint256 index = index_ % LEAVES;
        if (depth == DEPTH) depth = 255;
        (bytes32 root, uint64 normSq, SumSibling[] memory path) = _open(seed, index);
        require(!MerkleSum.verifyLeaf(root, normSq, depth, index, _leaf(seed, index), path), "wrong depth");
    }

    function testFuzz_aSumThatLeaves64BitsIsRefused(bytes32 seed, uint8 index_, uint64 big) public pure {
        uint256 index = index_ % LEAVES;
        uint64 leafSum = uint64(MerkleSum.sumOfSquares(_leaf(seed, index)));
        if (leafSum == 0) return;
        // The largest sums that wrap around 2^64: every node is hashed honestly, so only the range check can refuse.
        uint64 sum = type(uint64).max - (big % leafSum);
        SumSibling[] memory path = new SumSibling[](1);
        path[0] = SumSibling({hash: keccak256("sibling"), sum: sum});
        bytes32 hash = MerkleSum.leafHash(leafSum, _leaf(seed, index));
        bytes32 root = MerkleSum.nodeHash(hash, leafSum, path[0].hash, sum);
        uint64 wrapped;
        unchecked {
            wrapped = leafSum + sum;
        }
        require(!MerkleSum.verifyLeaf(root, wrapped, 1, 0, _leaf(seed, index), path), "wrapped sum");
    }

    function testFuzz_sumOfSquaresIsTheSumOfSquares(int16[16] calldata q) public pure {
        bytes memory leaf = new bytes(32);
        uint256 expected;
        for (uint256 i = 0; i < 16; ++i) {
            uint16 bits = uint16(q[i]);
            leaf[2 * i] = bytes1(uint8(bits));
            leaf[2 * i + 1] = bytes1(uint8(bits >> 8));
            expected += uint256(int256(q[i]) * int256(q[i]));
            require(MerkleSum.int16At(leaf, i) == q[i], "coordinate");
        }
        require(MerkleSum.sumOfSquares(leaf) == expected, "sum of squares");
    }

    function testFuzz_modelTreeOpensOnePositionOnly(bytes32 seed, uint8 index_, uint256 claimed) public pure {
        uint256 index = index_ % 4;
        bytes32[] memory level0 = new bytes32[](4);
        for (uint256 i = 0; i < 4; ++i) level0[i] = MerklePosition.leafHash(_leaf(seed, i));
        bytes32 left = MerklePosition.nodeHash(level0[0], level0[1]);
        bytes32 right = MerklePosition.nodeHash(level0[2], level0[3]);
        bytes32 root = MerklePosition.nodeHash(left, right);
        bytes32[] memory path = new bytes32[](2);
        path[0] = level0[index ^ 1];
        path[1] = index < 2 ? right : left;
        bytes memory leaf = _leaf(seed, index);
        require(MerklePosition.verifyLeaf(root, 2, index, leaf, path), "true opening refused");
        if (claimed != index) require(!MerklePosition.verifyLeaf(root, 2, claimed, leaf, path), "equivocation");
        require(!MerklePosition.verifyLeaf(bytes32(0), 2, index, leaf, path), "zero root");
        path[index % 2] ^= bytes32(uint256(1));
        require(!MerklePosition.verifyLeaf(root, 2, index, leaf, path), "a change went unseen");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SumOpening} from "../types/Disputes.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Sha256} from "./Sha256.sol";
import {VacantNodes} from "./VacantNodes.sol";
import {VectorLayout} from "./VectorLayout.sol";

/// @title Whether a node of an update's tree is a lie
/// @notice A commitment promises that every node's sum is the sum below it, every leaf is K coordinates with the padding
///         zero, and nothing stands beyond the last chunk. Of all nodes that break a promise the topmost has honest sums
///         above it, so it opens; one suffices to convict.
/// @dev A node's hash has one preimage that anybody knows. If the preimage shown is not of the node's form, whoever
///      committed to it committed to nothing: that is the lie. The TypeScript twin is protocol/dispute/.
library SumFraud {
    /// @return opens whether the node stands where the opening says, under (root, normSq)
    /// @return guilty whether what stands there is a lie; false when it does not open
    function judge(
        SumOpening calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 dimension,
        uint256 chunkSize
    ) internal view returns (bool opens, bool guilty) {
        uint256 chunks = VectorLayout.chunkCount(dimension, chunkSize);
        uint256 depth = VectorLayout.treeDepth(chunks);
        bool shown = opening.preimage.length > 0;
        bool vacant = VacantNodes.isVacant(opening.level, opening.position, chunks);
        bytes32 hash = shown ? Sha256.ofCalldata(opening.preimage) : opening.hash;
        // INVARIANT (C-81): the node is a node of the tree, stands under the commitment with the sum that is claimed
        // for it, and is shown, but where nothing may stand.
        opens =
            opening.level <= depth &&
            (shown || vacant) &&
            MerkleSum.verifyPath(
                root,
                normSq,
                depth - opening.level,
                opening.position,
                hash,
                opening.claimedSum,
                opening.path
            );
        if (!opens) return (false, false);
        if (vacant) guilty = hash != VacantNodes.update(opening.level) || opening.claimedSum != 0;
        else if (opening.level > 0) guilty = !_isNode(opening.preimage, opening.claimedSum);
        else guilty = !_isLeaf(opening.preimage, opening.claimedSum, dimension - opening.position * chunkSize, chunkSize);
    }

    /// @dev 0x01 | hash | u64 | hash | u64, whose sums add up.
    function _isNode(bytes calldata preimage, uint64 claimedSum) private pure returns (bool) {
        if (preimage.length != 81 || preimage[0] != MerkleSum.NODE_TAG) return false;
        return uint256(_sumAt(preimage, 33)) + _sumAt(preimage, 73) == claimedSum;
    }

    /// @dev 0x00 | u64 sum | 2K bytes, whose sum of squares is the sum claimed, above it and in it, and whose padding
    ///      (coordinates from `used`) is zero.
    function _isLeaf(
        bytes calldata preimage,
        uint64 claimedSum,
        uint256 used,
        uint256 chunkSize
    ) private pure returns (bool) {
        if (preimage.length != 9 + 2 * chunkSize || preimage[0] != MerkleSum.LEAF_TAG) return false;
        if (_sumAt(preimage, 1) != claimedSum || sumOfSquares(preimage[9:]) != claimedSum) return false;
        return used >= chunkSize || sumOfSquares(preimage[9 + 2 * used:]) == 0;
    }

    function _sumAt(bytes calldata preimage, uint256 offset) private pure returns (uint64) {
        return uint64(bytes8(preimage[offset:offset + 8]));
    }

    /// @notice Sum of squares of int16 little-endian coordinates, at most 4096 of them.
    function sumOfSquares(bytes calldata coordinates) internal pure returns (uint256 sum) {
        assembly ("memory-safe") {
            let end := add(coordinates.offset, coordinates.length)
            for { let at := coordinates.offset } lt(at, end) { at := add(at, 2) } {
                let word := calldataload(at)
                let q := signextend(1, or(shl(8, byte(1, word)), byte(0, word)))
                sum := add(sum, mul(q, q))
            }
        }
    }
}

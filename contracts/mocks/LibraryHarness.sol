// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CommitHash, SealedUpdate} from "../libraries/CommitHash.sol";
import {MerklePosition} from "../libraries/MerklePosition.sol";
import {MerkleSum, SumSibling} from "../libraries/MerkleSum.sol";
import {RuleParameters} from "../libraries/RuleParameters.sol";
import {Rule, ServerStep} from "../types/FederationParameters.sol";

/// @notice For tests only: the libraries, callable from TypeScript, so that the vectors hold the Solidity code itself.
contract LibraryHarness {
    function verifySumLeaf(
        bytes32 root,
        uint64 normSq,
        uint256 depth,
        uint256 index,
        bytes calldata leaf,
        SumSibling[] calldata path
    ) external pure returns (bool) {
        return MerkleSum.verifyLeaf(root, normSq, depth, index, leaf, path);
    }

    function verifySumPath(
        bytes32 root,
        uint64 normSq,
        uint256 depth,
        uint256 index,
        bytes32 hash,
        uint64 sum,
        SumSibling[] calldata path
    ) external pure returns (bool) {
        return MerkleSum.verifyPath(root, normSq, depth, index, hash, sum, path);
    }

    function sumOfSquares(bytes calldata leaf) external pure returns (uint256) {
        return MerkleSum.sumOfSquares(leaf);
    }

    function sumLeafHash(uint64 sum, bytes calldata leaf) external pure returns (bytes32) {
        return MerkleSum.leafHash(sum, leaf);
    }

    function verifyPositionLeaf(
        bytes32 root,
        uint256 depth,
        uint256 index,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external pure returns (bool) {
        return MerklePosition.verifyLeaf(root, depth, index, leaf, path);
    }

    function seal(SealedUpdate calldata update) external pure returns (bytes32) {
        return CommitHash.seal(update);
    }

    function accumulate(
        bytes32 accumulator,
        uint16 index,
        address participant,
        bytes32 root,
        uint64 normSq,
        bytes calldata cid
    ) external pure returns (bytes32) {
        return CommitHash.accumulate(accumulator, index, participant, root, normSq, keccak256(cid));
    }

    function minimumUpdates(Rule calldata rule) external pure returns (uint16) {
        return RuleParameters.minimumUpdates(rule);
    }

    function checkServerStep(ServerStep calldata step) external pure {
        RuleParameters.checkServerStep(step);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationEvents} from "../interfaces/IFederationEvents.sol";
import {GramLeafProof, GramNodeProof, MixingProof, RevealedUpdate} from "../types/Disputes.sol";
import {PreAggregation, Rule} from "../types/FederationParameters.sol";
import {GramTree} from "./GramTree.sol";
import {MixingJudge} from "./MixingJudge.sol";
import {RuleParameters} from "./RuleParameters.sol";
import {Sha256} from "./Sha256.sol";
import {UpdateOpening} from "./UpdateOpening.sol";
import {VacantNodes} from "./VacantNodes.sol";
import {VectorLayout} from "./VectorLayout.sol";

/// @notice What a proof about the Gram tree is judged by; from the chain, never from the prover.
/// @param gramRoot as published
/// @param n valid updates
/// @param chunkSize K
/// @param chunks chunks of an update
struct GramShape {
    bytes32 gramRoot;
    uint256 n;
    uint256 chunkSize;
    uint256 chunks;
}

/// @title Whether the published Gram matrix, or what was made of it, is a lie
/// @notice Bottom up, every number has somebody who claims it: a leaf its span's inner products, a parent its children's
///         matrices, the publication the mixing matrix. The lowest lie is built on truth, so it can be shown.
/// @dev Each function reverts with ProofDoesNotOpen when the proof speaks of something that was not published. The
///      TypeScript twins are in protocol/dispute/.
library GramFraud {
    /// @notice A span's leaf: claimed otherwise by its parent, malformed, or wrong in entry (first, second).
    function judgeLeaf(
        GramLeafProof calldata proof,
        GramShape memory shape,
        RevealedUpdate calldata first,
        RevealedUpdate calldata second
    ) internal view returns (bool guilty) {
        uint256 spans = VectorLayout.spanCount(shape.chunks);
        uint256 spanDepth = VectorLayout.treeDepth(spans);
        if (proof.span >= spans) _refuse("span");
        // INVARIANT (C-82): the leaf stands at its span under the published root.
        bytes32 matrix = Sha256.ofCalldata(proof.matrix);
        if (proof.path.length != spanDepth * GramTree.LEVEL_BYTES) _refuse("path");
        if (GramTree.climb(GramTree.leafHash(matrix), proof.span, proof.path) != shape.gramRoot) _refuse("path");
        if (spanDepth > 0 && GramTree.claimedMatrix(proof.path) != matrix) return true;
        if (!GramTree.isMatrix(proof.matrix, shape.n)) return true;
        // INVARIANT (C-83): an entry of the upper triangle, and the row that has it.
        if (proof.first > proof.second || proof.second >= shape.n) _refuse("entry");
        uint256 place = 1 + 32 * uint256(proof.first);
        if (Sha256.ofCalldata(proof.row) != bytes32(proof.matrix[place:place + 32])) _refuse("row");
        if (!GramTree.isRow(proof.row, shape.n, proof.first)) return true;
        uint256 offset = 1 + 8 * uint256(proof.second - proof.first);
        int256 entry = int64(uint64(bytes8(proof.row[offset:offset + 8])));
        return entry != _innerProduct(proof, shape, first, second);
    }

    /// @notice A node whose matrix, as its parent claims it, is not the sum of its children's.
    function judgeNode(GramNodeProof calldata proof, GramShape memory shape) internal view returns (bool guilty) {
        uint256 spanDepth = VectorLayout.treeDepth(VectorLayout.spanCount(shape.chunks));
        // INVARIANT (C-84): an inner node, not the root, whose matrix nobody claims.
        if (proof.level == 0 || proof.level >= spanDepth) _refuse("level");
        if (proof.position >> (spanDepth - proof.level) != 0) _refuse("position");
        if (proof.path.length != (spanDepth - proof.level) * GramTree.LEVEL_BYTES) _refuse("path");
        uint256 size = GramTree.triangleSize(shape.n);
        if (proof.children.length != 64 + 2 * size) _refuse("children");
        bytes calldata left = proof.children[64:64 + size];
        bytes calldata right = proof.children[64 + size:];
        bytes32 hash = _join(proof.children, left, right, shape.n);
        // INVARIANT (C-82): as above.
        if (GramTree.climb(hash, proof.position, proof.path) != shape.gramRoot) _refuse("path");
        (bytes32 matrix, bool fits) = GramTree.sumHash(left, right, shape.n);
        return !fits || matrix != GramTree.claimedMatrix(proof.path);
    }

    /// @notice The Gram matrix under the published root: the sum of what the root claims for its children.
    /// @param opening of a tree with one leaf: the leaf's matrix; else left's hash | right's hash | left's matrix | right's
    ///        matrix
    function openRoot(
        bytes calldata opening,
        GramShape memory shape
    ) internal view returns (int256[] memory gram) {
        uint256 size = GramTree.triangleSize(shape.n);
        bytes calldata left = opening;
        bytes calldata right = opening[:0];
        bytes32 root;
        if (VectorLayout.spanCount(shape.chunks) == 1) {
            if (opening.length != size) _refuse("root");
            root = GramTree.leafHash(GramTree.matrixHash(left, shape.n));
        } else {
            if (opening.length != 64 + 2 * size) _refuse("root");
            left = opening[64:64 + size];
            right = opening[64 + size:];
            root = _join(opening, left, right, shape.n);
        }
        // INVARIANT (C-82): as above.
        if (root != shape.gramRoot) _refuse("root");
        return GramTree.sum(left, right, shape.n);
    }

    /// @notice The published mixing matrix is not the one that the rule makes of the published Gram matrix, which is the
    ///         sum of what the root claims for its children.
    /// @param seed the round's
    function judgeMixing(
        MixingProof calldata proof,
        GramShape memory shape,
        Rule memory rule,
        bytes32 seed,
        bytes32 mixingHash
    ) internal view returns (bool guilty) {
        int256[] memory gram = openRoot(proof.root, shape);
        // INVARIANT (C-85): what the publication is held against is the rule's own result.
        bool right;
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.Bucketing)) {
            right = proof.nearest.length == 0 && MixingJudge.isBucketing(rule, shape.n, seed, proof.mixing);
        } else right = MixingJudge.isRight(rule, shape.n, gram, proof.mixing, proof.nearest);
        if (!right) _refuse("mixing");
        return Sha256.ofCalldata(proof.mixing) != mixingHash;
    }

    /// @notice Whether something stands in the Gram tree beyond the last span.
    /// @param hash the node's hash
    /// @param path from the node's level up
    function judgeVacancy(
        GramShape memory shape,
        uint256 level,
        uint256 position,
        bytes32 hash,
        bytes calldata path
    ) internal view returns (bool guilty) {
        uint256 spans = VectorLayout.spanCount(shape.chunks);
        uint256 spanDepth = VectorLayout.treeDepth(spans);
        // INVARIANT (C-86): a node of the tree with nothing below it.
        if (level >= spanDepth || position >> (spanDepth - level) != 0) _refuse("position");
        if (!VacantNodes.isVacant(level, position, spans)) _refuse("position");
        if (path.length != (spanDepth - level) * GramTree.LEVEL_BYTES) _refuse("path");
        if (GramTree.climb(hash, position, path) != shape.gramRoot) _refuse("path");
        bytes32 zeroMatrix = GramTree.zeroMatrixHash(shape.n);
        return hash != VacantNodes.gram(level, zeroMatrix) || GramTree.claimedMatrix(path) != zeroMatrix;
    }

    /// @dev Both rows' chunks of the span, opened; then multiplied.
    function _innerProduct(
        GramLeafProof calldata proof,
        GramShape memory shape,
        RevealedUpdate calldata first,
        RevealedUpdate calldata second
    ) private view returns (int256) {
        uint256 depth = VectorLayout.treeDepth(shape.chunks);
        uint256 from = uint256(proof.span) * VectorLayout.GRAM_SPAN;
        uint256 count = shape.chunks - from;
        if (count > VectorLayout.GRAM_SPAN) count = VectorLayout.GRAM_SPAN;
        if (!_opens(proof.firstChunks, first, shape.chunkSize, depth, proof.span, count)) _refuse("firstChunks");
        if (!_opens(proof.secondChunks, second, shape.chunkSize, depth, proof.span, count)) _refuse("secondChunks");
        return UpdateOpening.innerProduct(proof.firstChunks, proof.secondChunks, shape.chunkSize, count);
    }

    function _opens(
        bytes calldata opening,
        RevealedUpdate calldata revealed,
        uint256 chunkSize,
        uint256 depth,
        uint256 span,
        uint256 count
    ) private view returns (bool) {
        return UpdateOpening.verifyRange(opening, revealed.root, revealed.normSq, chunkSize, depth, span, count);
    }

    /// @dev Hash of the node with these children: left's hash | right's hash | two triangles.
    function _join(
        bytes calldata children,
        bytes calldata left,
        bytes calldata right,
        uint256 n
    ) private view returns (bytes32) {
        return
            GramTree.nodeHash(
                bytes32(children[:32]),
                GramTree.matrixHash(left, n),
                bytes32(children[32:64]),
                GramTree.matrixHash(right, n)
            );
    }

    function _refuse(string memory what) private pure {
        revert IFederationEvents.ProofDoesNotOpen(what);
    }
}

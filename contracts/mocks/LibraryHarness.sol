// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AskedChunk, ChunkAnswer} from "../libraries/ChunkAnswer.sol";
import {CommitHash, SealedUpdate} from "../libraries/CommitHash.sol";
import {CoordinateStep} from "../libraries/CoordinateStep.sol";
import {GramFraud, GramShape} from "../libraries/GramFraud.sol";
import {GramTree} from "../libraries/GramTree.sol";
import {MerklePosition} from "../libraries/MerklePosition.sol";
import {MerkleSum, SumSibling} from "../libraries/MerkleSum.sol";
import {MixingJudge} from "../libraries/MixingJudge.sol";
import {MixingMatrix} from "../libraries/MixingMatrix.sol";
import {ModelOpening} from "../libraries/ModelOpening.sol";
import {RuleParameters} from "../libraries/RuleParameters.sol";
import {ServerState, StateCoordinate} from "../libraries/ServerState.sol";
import {SumFraud} from "../libraries/SumFraud.sol";
import {UpdateOpening} from "../libraries/UpdateOpening.sol";
import {VacantNodes} from "../libraries/VacantNodes.sol";
import {GramLeafProof, GramNodeProof, MixingProof, RevealedUpdate, SumOpening} from "../types/Disputes.sol";
import {Combine, PreAggregation, Rule, ServerOptimizer, ServerStep} from "../types/FederationParameters.sol";

struct FractionBits {
    uint256 model;
    uint256 update;
}

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

    // ---- disputes

    /// @notice Several questions in one call; a question that reverts answers with its error.
    function batch(bytes[] calldata questions) external view returns (bool[] memory ok, bytes[] memory answers) {
        ok = new bool[](questions.length);
        answers = new bytes[](questions.length);
        for (uint256 i = 0; i < questions.length; ++i) {
            (ok[i], answers[i]) = address(this).staticcall(questions[i]);
        }
    }

    function judgeSum(
        SumOpening calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 dimension,
        uint256 chunkSize
    ) external view returns (bool opens, bool guilty) {
        return SumFraud.judge(opening, root, normSq, dimension, chunkSize);
    }

    function verifyUpdateOpening(
        bytes calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 chunkSize,
        uint256 depth,
        uint256 index
    ) external view returns (bool) {
        return UpdateOpening.verify(opening, root, normSq, chunkSize, depth, index);
    }

    function verifyUpdateRange(
        bytes calldata opening,
        bytes32 root,
        uint64 normSq,
        uint256 chunkSize,
        uint256 depth,
        uint256 span,
        uint256 chunks
    ) external view returns (bool) {
        return UpdateOpening.verifyRange(opening, root, normSq, chunkSize, depth, span, chunks);
    }

    function answersUpdate(
        bytes calldata opening,
        AskedChunk calldata asked,
        uint256 dimension,
        uint256 chunkSize
    ) external view returns (bool) {
        return ChunkAnswer.opensUpdate(opening, asked, ChunkAnswer.shape(dimension, chunkSize));
    }

    function answersModel(
        bytes calldata opening,
        AskedChunk calldata asked,
        uint256 dimension,
        uint256 chunkSize,
        uint256 vectors
    ) external view returns (bool) {
        return ChunkAnswer.opensModel(opening, asked, ChunkAnswer.shape(dimension, chunkSize), vectors);
    }

    function answersGram(
        bytes calldata opening,
        AskedChunk calldata asked,
        uint256 dimension,
        uint256 chunkSize
    ) external view returns (bool) {
        return ChunkAnswer.opensGram(opening, asked, ChunkAnswer.shape(dimension, chunkSize));
    }

    function updateCoordinate(bytes calldata opening, uint256 k) external pure returns (int256) {
        return UpdateOpening.coordinate(opening, k);
    }

    function innerProduct(bytes calldata x, bytes calldata y) external pure returns (int256) {
        return UpdateOpening.innerProductOfChunk(x, y);
    }

    function verifyModelOpening(
        bytes calldata opening,
        bytes32 root,
        uint256 chunkSize,
        uint256 depth,
        uint256 index
    ) external view returns (bool) {
        return ModelOpening.verify(opening, root, chunkSize, depth, index);
    }

    function modelCoordinate(bytes calldata opening, uint256 k) external pure returns (int256) {
        return ModelOpening.coordinate(opening, k);
    }

    /// @notice Numerator and denominator of one coordinate.
    function combineColumn(Combine kind, uint256 f, int256[] calldata column) external pure returns (int256, int256) {
        return CoordinateStep.combine(kind, f, column);
    }

    function nextCoordinate(
        Rule calldata rule,
        ServerStep calldata step,
        FractionBits calldata bits,
        int256[] calldata column,
        bytes calldata mixing,
        int256 weight,
        StateCoordinate calldata state
    ) external pure returns (int256 nextWeight, StateCoordinate memory nextState) {
        int256 delta = CoordinateStep.delta(rule, bits.model - bits.update, column, mixing);
        if (step.optimizer == ServerOptimizer.FedAvg) return (CoordinateStep.move(step, weight, delta), nextState);
        nextState = ServerState.next(step, state, delta);
        nextWeight = CoordinateStep.moveByState(step, bits.model, weight, nextState);
    }

    function stateAfter(
        ServerStep calldata step,
        StateCoordinate calldata state,
        int256 delta
    ) external pure returns (StateCoordinate memory) {
        return ServerState.next(step, state, delta);
    }

    /// @notice The weight that follows from a published state.
    function movedByState(
        ServerStep calldata step,
        uint256 modelFractionBits,
        int256 weight,
        StateCoordinate calldata state
    ) external pure returns (int256) {
        return CoordinateStep.moveByState(step, modelFractionBits, weight, state);
    }

    /// @notice The state of coordinate `k` in an opened chunk of so many planes of K.
    function stateCoordinate(
        bytes calldata chunk,
        uint256 planes,
        uint256 chunkSize,
        uint256 k
    ) external pure returns (StateCoordinate memory) {
        return ServerState.read(chunk, planes, chunkSize, k);
    }

    function isEnforceable(Rule calldata rule) external pure returns (bool) {
        return RuleParameters.isEnforceable(rule);
    }

    /// @notice Whether `mixing` is what the rule makes of the Gram matrix left + right (`right` may be empty).
    function isRightMixing(
        Rule calldata rule,
        uint256 n,
        bytes calldata left,
        bytes calldata right,
        bytes32 seed,
        bytes calldata mixing,
        uint256[] calldata nearest
    ) external pure returns (bool) {
        if (RuleParameters.isOnly(rule.preAggregations, PreAggregation.Bucketing)) {
            return nearest.length == 0 && MixingJudge.isBucketing(rule, n, seed, mixing);
        }
        return MixingJudge.isRight(rule, n, GramTree.sum(left, right, n), mixing, nearest);
    }

    function hasMixingShape(
        bytes calldata mixing,
        uint256 rows,
        uint256 n,
        uint256 denominator
    ) external pure returns (bool) {
        return MixingMatrix.hasShape(mixing, rows, n, denominator);
    }

    function gramMatrixHash(bytes calldata triangle, uint256 n) external view returns (bytes32) {
        return GramTree.matrixHash(triangle, n);
    }

    function gramSumHash(
        bytes calldata left,
        bytes calldata right,
        uint256 n
    ) external view returns (bytes32 hash, bool fits) {
        return GramTree.sumHash(left, right, n);
    }

    function climbGram(bytes32 hash, uint256 position, bytes calldata path) external view returns (bytes32) {
        return GramTree.climb(hash, position, path);
    }

    function judgeGramLeaf(
        GramLeafProof calldata proof,
        GramShape calldata shape,
        RevealedUpdate calldata first,
        RevealedUpdate calldata second
    ) external view returns (bool guilty) {
        return GramFraud.judgeLeaf(proof, shape, first, second);
    }

    function judgeGramNode(
        GramNodeProof calldata proof,
        GramShape calldata shape
    ) external view returns (bool guilty) {
        return GramFraud.judgeNode(proof, shape);
    }

    function judgeMixing(
        MixingProof calldata proof,
        GramShape calldata shape,
        Rule calldata rule,
        bytes32 seed,
        bytes32 mixingHash
    ) external view returns (bool guilty) {
        return GramFraud.judgeMixing(proof, shape, rule, seed, mixingHash);
    }

    function judgeGramVacancy(
        GramShape calldata shape,
        uint256 level,
        uint256 position,
        bytes32 hash,
        bytes calldata path
    ) external view returns (bool guilty) {
        return GramFraud.judgeVacancy(shape, level, position, hash, path);
    }

    function vacantUpdateNode(uint256 level) external view returns (bytes32) {
        return VacantNodes.update(level);
    }

    function vacantModelNode(uint256 level) external view returns (bytes32) {
        return VacantNodes.model(level);
    }

    function vacantGramNode(uint256 level, uint256 n) external view returns (bytes32 node, bytes32 zeroMatrix) {
        zeroMatrix = GramTree.zeroMatrixHash(n);
        return (VacantNodes.gram(level, zeroMatrix), zeroMatrix);
    }
}

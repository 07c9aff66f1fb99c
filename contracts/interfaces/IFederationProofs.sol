// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {
    CoordinateProof,
    GramLeafProof,
    GramNodeProof,
    MixingProof,
    PublishedTree,
    RevealedUpdate,
    SumOpening
} from "../types/Disputes.sol";
import {Publication} from "../types/Round.sol";

/// @title Fraud proofs: one transaction each
/// @notice Every proof is sent with exactly `proofBond`. A proof that does not open to the published roots reverts. One
///         that opens and shows a wrong number convicts: the liar's stake is slashed, half of it goes to the sender,
///         the bond comes back. One that opens and shows a RIGHT number loses its bond to the accused. In a federation
///         that is not `enforced` every proof that depends on its rule reverts with NotEnforced: coordinates, the Gram
///         tree (its vacancies included) and the mixing matrix. Sums, copies, vacancies of models and states, and
///         availability convict in any.
interface IFederationProofs {
    /// @notice A participant's tree has a node whose sum is a lie, or that is no node.
    /// @param accused position of its reveal in `reveals`
    function proveBadSum(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        uint256 accused,
        SumOpening calldata opening
    ) external payable;

    /// @notice A published tree has something beyond the vector's last chunk.
    /// @param path Model, State: (depth - level) * 32; Gram: as in GramLeafProof
    function proveBadVacancy(
        uint64 round,
        Publication calldata publication,
        PublishedTree tree,
        uint8 level,
        uint32 position,
        bytes32 hash,
        bytes calldata path
    ) external payable;

    /// @notice A coordinate of the published server state is not what the rule and the step make of the updates and the
    ///         state before; or one of the model not what they make of the updates (of the published state, if the step
    ///         has one) and the model before.
    function proveBadCoordinate(CoordinateProof calldata proof) external payable;

    /// @notice An update that was revealed before, in this round or an earlier one, does not count. No bond; its owner
    ///         pays the penalty of a missed reveal.
    function voidCopiedUpdate(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        uint256 copy,
        uint64 originalRound,
        RevealedUpdate[] calldata originalReveals,
        uint256 original
    ) external;
}

/// @title Fraud proofs about the Gram matrix and what was made of it
interface IFederationGramProofs {
    /// @notice A partial inner product is wrong.
    function proveBadGramLeaf(GramLeafProof calldata proof) external payable;

    /// @notice A node's matrix is not the sum of its children's.
    function proveBadGramNode(GramNodeProof calldata proof) external payable;

    /// @notice The published mixing matrix is not what the rule makes of the published Gram matrix.
    function proveBadMixing(MixingProof calldata proof) external payable;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Accusations} from "./federation/Accusations.sol";
import {IFederationGramProofs} from "./interfaces/IFederationProofs.sol";
import {GramFraud} from "./libraries/GramFraud.sol";
import {GramLeafProof, GramNodeProof, MixingProof, ProofKind} from "./types/Disputes.sol";

/// @title Fraud proofs about the Gram matrix and what was made of it
/// @notice A module of Federation (federation/Modules.sol). Specified in docs/spec/disputes.md.
contract FederationGramProofs is Accusations, IFederationGramProofs {
    /// @inheritdoc IFederationGramProofs
    function proveBadGramLeaf(GramLeafProof calldata proof) external payable {
        _takeProofBond();
        _checkEnforced();
        _checkPublication(proof.round, proof.publication);
        uint256[] memory rows = _validRows(proof.round, proof.reveals);
        // INVARIANT (C-83): rows that are there.
        if (proof.first >= rows.length || proof.second >= rows.length) revert ProofDoesNotOpen("entry");
        bool guilty = GramFraud.judgeLeaf(
            proof,
            _gramShape(proof.publication, rows.length),
            proof.reveals[rows[proof.first]],
            proof.reveals[rows[proof.second]]
        );
        _judgePublisher(proof.round, ProofKind.BadGramLeaf, guilty);
    }

    /// @inheritdoc IFederationGramProofs
    function proveBadGramNode(GramNodeProof calldata proof) external payable {
        _takeProofBond();
        _checkEnforced();
        _checkPublication(proof.round, proof.publication);
        uint256 n = _validRows(proof.round, proof.reveals).length;
        bool guilty = GramFraud.judgeNode(proof, _gramShape(proof.publication, n));
        _judgePublisher(proof.round, ProofKind.BadGramNode, guilty);
    }

    /// @inheritdoc IFederationGramProofs
    function proveBadMixing(MixingProof calldata proof) external payable {
        _takeProofBond();
        _checkEnforced();
        _checkPublication(proof.round, proof.publication);
        uint256 n = _validRows(proof.round, proof.reveals).length;
        bool guilty = GramFraud.judgeMixing(
            proof,
            _gramShape(proof.publication, n),
            _parameters.rule,
            _rounds[proof.round].seed,
            proof.publication.mixingHash
        );
        _judgePublisher(proof.round, ProofKind.BadMixing, guilty);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Accusations} from "./federation/Accusations.sol";
import {ParticipantAccount, ParticipantRecord, RoundHead} from "./federation/FederationStorage.sol";
import {IFederationProofs} from "./interfaces/IFederationProofs.sol";
import {CoordinateStep} from "./libraries/CoordinateStep.sol";
import {GramFraud} from "./libraries/GramFraud.sol";
import {MixingMatrix} from "./libraries/MixingMatrix.sol";
import {ModelOpening} from "./libraries/ModelOpening.sol";
import {ServerState, StateCoordinate} from "./libraries/ServerState.sol";
import {Sha256} from "./libraries/Sha256.sol";
import {SumFraud} from "./libraries/SumFraud.sol";
import {UpdateOpening} from "./libraries/UpdateOpening.sol";
import {VacantNodes} from "./libraries/VacantNodes.sol";
import {VectorLayout} from "./libraries/VectorLayout.sol";
import {Role} from "./types/Actors.sol";
import {CoordinateProof, ProofKind, PublishedTree, RevealedUpdate, SumOpening} from "./types/Disputes.sol";
import {Rule, ServerStep} from "./types/FederationParameters.sol";
import {Publication, RoundPhase} from "./types/Round.sol";

/// @dev The coordinate that a proof is about.
struct Place {
    uint256 chunkSize;
    uint256 depth;
    uint256 chunk;
    uint256 coordinate;
    /// Vectors of the server's state: planes in a chunk of it.
    uint256 planes;
}

/// @title Fraud proofs about updates, models and server states
/// @notice A module of Federation (federation/Modules.sol). Who lied is decided in libraries/, what follows in
///         federation/Slashing.sol; here the two meet what is on the chain. Specified in docs/spec/disputes.md.
contract FederationProofs is Accusations, IFederationProofs {
    /// @inheritdoc IFederationProofs
    function proveBadSum(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        uint256 accused,
        SumOpening calldata opening
    ) external payable {
        _takeProofBond();
        RevealedUpdate calldata revealed = _submission(round, reveals, accused);
        (bool opens, bool guilty) = SumFraud.judge(
            opening,
            revealed.root,
            revealed.normSq,
            _parameters.dimension,
            _parameters.chunkSize
        );
        // INVARIANT (C-87): what does not open accuses nobody.
        if (!opens) revert ProofDoesNotOpen("opening");
        if (!guilty) return _rejectAccusation(round, revealed.participant, ProofKind.BadSum);
        _credit(msg.sender, _parameters.proofBond);
        _convictParticipant(round, revealed.index, ProofKind.BadSum, msg.sender);
    }

    /// @inheritdoc IFederationProofs
    function proveBadVacancy(
        uint64 round,
        Publication calldata publication,
        PublishedTree tree,
        uint8 level,
        uint32 position,
        bytes32 hash,
        bytes calldata path
    ) external payable {
        _takeProofBond();
        _checkPublication(round, publication);
        bool guilty;
        if (tree == PublishedTree.Gram) {
            _checkEnforced();
            // SAFETY: valid updates of a published round: revealed >= voided.
            RoundHead storage head = _rounds[round].head;
            uint256 n = head.revealed - head.voided;
            guilty = GramFraud.judgeVacancy(_gramShape(publication, n), level, position, hash, path);
        } else {
            bytes32 root = tree == PublishedTree.Model ? publication.modelRoot : publication.stateRoot;
            guilty = _isOccupied(root, level, position, hash, path);
        }
        _judgePublisher(round, ProofKind.BadVacancy, guilty);
    }

    /// @dev Whether something stands in the tree of a model or state beyond the last chunk.
    function _isOccupied(
        bytes32 root,
        uint256 level,
        uint256 position,
        bytes32 hash,
        bytes calldata path
    ) private view returns (bool) {
        uint256 chunks = VectorLayout.chunkCount(_parameters.dimension, _parameters.chunkSize);
        uint256 depth = VectorLayout.treeDepth(chunks);
        // INVARIANT (C-86): a node of the tree with nothing below it.
        if (level >= depth || position >> (depth - level) != 0 || !VacantNodes.isVacant(level, position, chunks)) {
            revert ProofDoesNotOpen("position");
        }
        // INVARIANT (C-87): as above.
        if (
            root == bytes32(0) ||
            path.length != (depth - level) * 32 ||
            ModelOpening.climb(hash, position, path) != root
        ) revert ProofDoesNotOpen("path");
        return hash != VacantNodes.model(level);
    }

    /// @inheritdoc IFederationProofs
    function proveBadCoordinate(CoordinateProof calldata proof) external payable {
        _takeProofBond();
        _checkEnforced();
        _checkPublication(proof.round, proof.publication);
        ServerStep memory step = _parameters.serverStep;
        Place memory place;
        place.planes = ServerState.vectors(step.optimizer);
        place.chunkSize = _parameters.chunkSize;
        uint256 chunks = VectorLayout.chunkCount(_parameters.dimension, place.chunkSize);
        place.depth = VectorLayout.treeDepth(chunks);
        (place.chunk, place.coordinate) = (proof.chunk, proof.coordinate);
        // INVARIANT (C-88): a coordinate of the vector, its last chunk's padding included.
        if (place.chunk >= chunks || place.coordinate >= place.chunkSize) revert ProofDoesNotOpen("coordinate");
        bool guilty;
        if (place.planes == 0) {
            _checkAbsent("oldState", proof.oldState);
            _checkAbsent("newState", proof.newState);
            int256 delta = _delta(proof, place);
            (int256 weight, int256 published) = _models(proof, place);
            guilty = published != CoordinateStep.move(step, weight, delta);
        } else {
            StateCoordinate memory state = _openedState(
                "newState",
                proof.newState,
                proof.publication.stateRoot,
                place
            );
            if (proof.newModel.length == 0) {
                _checkAbsent("oldModel", proof.oldModel);
                guilty = _isWrongState(proof, place, step, state);
            } else {
                _checkAbsent("oldState", proof.oldState);
                _checkAbsent("rows", proof.rows);
                _checkAbsent("mixing", proof.mixing);
                if (proof.reveals.length != 0) revert ProofDoesNotOpen("reveals");
                (int256 weight, int256 published) = _models(proof, place);
                guilty =
                    published != CoordinateStep.moveByState(step, _parameters.modelFractionBits, weight, state);
            }
        }
        _judgePublisher(proof.round, ProofKind.BadCoordinate, guilty);
    }

    /// @dev The weight before the round, and the published one.
    function _models(
        CoordinateProof calldata proof,
        Place memory place
    ) private view returns (int256 weight, int256 published) {
        weight = _opened("oldModel", proof.oldModel, _baseModelRoot(proof.round), place);
        published = _opened("newModel", proof.newModel, proof.publication.modelRoot, place);
    }

    /// @dev Whether the published state is not the old one, moved by the updates.
    function _isWrongState(
        CoordinateProof calldata proof,
        Place memory place,
        ServerStep memory step,
        StateCoordinate memory published
    ) private view returns (bool) {
        StateCoordinate memory before = _oldState(proof, place);
        StateCoordinate memory right = ServerState.next(step, before, _delta(proof, place));
        return published.momentum != right.momentum || published.secondMoment != right.secondMoment;
    }

    /// @dev What the rule makes of the coordinate in every valid update.
    function _delta(CoordinateProof calldata proof, Place memory place) private view returns (int256) {
        int256[] memory column = _column(proof, place);
        Rule memory rule = _parameters.rule;
        if (rule.preAggregations != 0) {
            (uint256 rows, uint256 denominator) = MixingMatrix.shape(rule, column.length);
            // INVARIANT (C-90): the published mixing matrix; one of another shape is for proveBadMixing.
            if (
                Sha256.ofCalldata(proof.mixing) != proof.publication.mixingHash ||
                !MixingMatrix.hasShape(proof.mixing, rows, column.length, denominator)
            ) revert ProofDoesNotOpen("mixing");
        } else {
            _checkAbsent("mixing", proof.mixing);
        }
        uint256 shift = _parameters.modelFractionBits - _parameters.updateFractionBits;
        return CoordinateStep.delta(rule, shift, column, proof.mixing);
    }

    /// @dev The coordinate in every valid update, by participant index.
    function _column(
        CoordinateProof calldata proof,
        Place memory place
    ) private view returns (int256[] memory column) {
        uint256[] memory rows = _validRows(proof.round, proof.reveals);
        uint256 size = UpdateOpening.size(place.chunkSize, place.depth);
        // INVARIANT (C-89): one opening for every valid update, none for another.
        if (proof.rows.length != rows.length * size) revert ProofDoesNotOpen("rows");
        column = new int256[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            RevealedUpdate calldata revealed = proof.reveals[rows[i]];
            bytes calldata row = proof.rows[i * size:(i + 1) * size];
            // INVARIANT (C-87): as above.
            if (
                !UpdateOpening.verify(row, revealed.root, revealed.normSq, place.chunkSize, place.depth, place.chunk)
            ) revert ProofDoesNotOpen("rows");
            column[i] = UpdateOpening.coordinate(row, place.coordinate);
        }
    }

    /// @dev Zero before the first publication.
    function _oldState(
        CoordinateProof calldata proof,
        Place memory place
    ) private view returns (StateCoordinate memory state) {
        uint256 before = _publishedBefore(proof.round);
        if (before == 0) {
            _checkAbsent("oldState", proof.oldState);
            return state;
        }
        bytes32 received = keccak256(abi.encode(proof.previous));
        // INVARIANT (C-91): the state that the round had to start from: the last published one.
        if (received != _rounds[before].publicationHash) {
            revert WrongPublication(_rounds[before].publicationHash, received);
        }
        return _openedState("oldState", proof.oldState, proof.previous.stateRoot, place);
    }

    /// @dev The proof's coordinate in an opening of a state.
    function _openedState(
        string memory name,
        bytes calldata opening,
        bytes32 root,
        Place memory place
    ) private view returns (StateCoordinate memory) {
        // INVARIANT (C-152): a chunk of the state is opened whole, with all its vectors: one leaf, one length.
        if (!ModelOpening.verify(opening, root, place.planes * place.chunkSize, place.depth, place.chunk)) {
            revert ProofDoesNotOpen(name);
        }
        return ServerState.read(opening, place.planes, place.chunkSize, place.coordinate);
    }

    /// @dev The proof's coordinate in an opening of a model.
    function _opened(
        string memory name,
        bytes calldata opening,
        bytes32 root,
        Place memory place
    ) private view returns (int256) {
        // INVARIANT (C-87): as above.
        if (!ModelOpening.verify(opening, root, place.chunkSize, place.depth, place.chunk)) {
            revert ProofDoesNotOpen(name);
        }
        return ModelOpening.coordinate(opening, place.coordinate);
    }

    /// @dev One fraud has one proof: what is not read is not there.
    function _checkAbsent(string memory name, bytes calldata part) private pure {
        if (part.length != 0) revert ProofDoesNotOpen(name);
    }

    /// @inheritdoc IFederationProofs
    function voidCopiedUpdate(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        uint256 copy,
        uint64 originalRound,
        RevealedUpdate[] calldata originalReveals,
        uint256 original
    ) external {
        RevealedUpdate calldata revealed = _submission(round, reveals, copy);
        bytes32 root;
        if (originalRound == round) {
            // INVARIANT (C-92): the copy is the later of the two.
            if (original >= copy) revert NotACopy();
            root = reveals[original].root;
        } else {
            // INVARIANT (C-92): as above; round 0 has no reveals.
            if (originalRound > round || originalRound == 0) revert NotACopy();
            _checkReveals(originalRound, originalReveals);
            if (original >= originalReveals.length) revert NotACopy();
            root = originalReveals[original].root;
        }
        if (root != revealed.root) revert NotACopy();
        _voidCopy(round, revealed.index, revealed.participant);
    }

    /// @dev No fraud (an update of zeros is soon revealed twice), so no slashing: the price of a missed reveal, burned.
    function _voidCopy(uint64 round, uint16 index, address participant_) private {
        // INVARIANT (C-92): before the model is made from it; later the copy has done what it could.
        if (_rounds[round].head.phase > RoundPhase.Aggregate) {
            revert WrongPhase(round, _rounds[round].head.phase, RoundPhase.Aggregate);
        }
        _voidSubmission(round, index);
        (uint256 number, RoundHead memory head) = _advance();
        ParticipantAccount storage account = _participants[participant_];
        ParticipantRecord memory record = account.record;
        uint96 penalty = _parameters.missedRevealPenalty;
        if (penalty > record.stake) penalty = record.stake;
        _takeStake(account, record, penalty, number, head);
        emit Slashed(round, participant_, Role.Participant, ProofKind.CopiedUpdate, penalty, penalty, msg.sender, 0);
        _burn(penalty);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Role} from "../types/Actors.sol";
import {ProofKind, RevealedUpdate} from "../types/Disputes.sol";
import {Publication, RoundPhase} from "../types/Round.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {ParticipantRecord, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {Voiding} from "./Voiding.sol";

/// @dev Justice: who is convicted loses the whole stake of the role, half of it to who proved it, the rest burned, so
///      that nobody profits from convicting himself. And what every proof checks first: that it speaks of what is on
///      the chain.
abstract contract Slashing is Voiding {
    // ---- what a proof speaks of

    /// @dev The round's reveals are exactly `reveals`.
    function _checkReveals(uint256 number, RevealedUpdate[] calldata reveals) internal view {
        bytes32 accumulator;
        for (uint256 i = 0; i < reveals.length; ++i) {
            RevealedUpdate calldata revealed = reveals[i];
            accumulator = CommitHash.accumulate(
                accumulator,
                revealed.index,
                revealed.participant,
                revealed.root,
                revealed.normSq,
                revealed.cidHash
            );
        }
        if (accumulator != _accumulator(number)) revert WrongReveals(_accumulator(number), accumulator);
    }

    /// @dev The round is in Challenge and was published as `publication`.
    function _checkPublication(uint256 number, Publication calldata publication) internal view {
        RoundRecord storage record = _rounds[number];
        bytes32 received = keccak256(abi.encode(publication));
        if (number > _state.currentRound || record.head.phase != RoundPhase.Challenge) {
            revert WrongPhase(uint64(number), record.head.phase, RoundPhase.Challenge);
        }
        if (received != record.publicationHash) revert WrongPublication(record.publicationHash, received);
    }

    /// @dev Takes the bond that comes with an accusation.
    function _takeProofBond() internal {
        _collect(_parameters.proofBond);
    }

    // ---- verdicts; each ends the proof

    /// @dev A participant lied in `number_`, or did not answer: its submission does not count, and a model made with it
    ///      falls, too. The caller has seen the submission among the round's reveals.
    function _convictParticipant(uint64 number_, uint16 index, ProofKind proof, address challenger) internal {
        address account = _participantAt[index];
        _voidSubmission(number_, index);
        // The current round is now this one, or one that has just opened: none that already has commits, so nobody is
        // waited for in vain and no commit loses its stake.
        (uint256 number, RoundHead memory head) = _advance();
        ParticipantRecord memory record = _participants[account].record;
        uint96 amount = record.stake;
        _takeStake(_participants[account], record, amount, number, head);
        _divide(number_, account, Role.Participant, proof, amount, challenger);
    }

    /// @dev The aggregator that published `number_` lied, or did not answer: the publication falls, and who is left in
    ///      the rotation does it again.
    function _convictAggregator(uint64 number_, ProofKind proof, address challenger) internal {
        // It is registered: the stake of who published a round that is not final cannot leave (C-41).
        address account = _rounds[number_].aggregator;
        uint96 amount = _aggregators[account].stake;
        _aggregators[account].stake = 0;
        _expelFromRotation(account);
        _voidPublication(number_);
        _divide(number_, account, Role.Aggregator, proof, amount, challenger);
    }

    /// @dev The number is right: the bond is the accused's.
    function _rejectAccusation(uint64 number, address accused, ProofKind proof) internal {
        uint96 bond = _parameters.proofBond;
        _credit(accused, bond);
        emit AccusationRejected(number, msg.sender, accused, proof, bond);
    }

    function _divide(
        uint64 number,
        address account,
        Role role,
        ProofKind proof,
        uint96 amount,
        address challenger
    ) private {
        uint96 reward = amount / 2;
        // INVARIANT (C-110): at least half of it burns, the odd unit included: nobody gains by convicting himself.
        emit Slashed(number, account, role, proof, amount, amount - reward, challenger, reward);
        _credit(challenger, reward);
        _burn(amount - reward);
    }
}

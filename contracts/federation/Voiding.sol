// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RoundPhase} from "../types/Round.sol";
import {ParticipantRecord, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {Penalties} from "./Penalties.sol";

/// @dev What a proven fraud does to a round. Fraud proofs and unanswered challenges lead here (Slashing.sol).
abstract contract Voiding is Penalties {
    /// @dev Before publication: the submission of the participant with this index does not count. A round left with too
    ///      few valid updates is abandoned.
    function _voidSubmission(uint64 number_, uint16 index) internal {
        (uint256 number, RoundHead memory head) = _advance();
        // INVARIANT (C-50): submissions are voided before the model is made from them.
        if (number_ != number || (head.phase != RoundPhase.Reveal && head.phase != RoundPhase.Aggregate)) {
            revert WrongPhase(number_, head.phase, RoundPhase.Reveal);
        }
        address account = _participantAt[index];
        ParticipantRecord memory record = _participants[account].record;
        // INVARIANT (C-51): only a submission that is there, and once.
        if (account == address(0) || !record.revealed || record.committedOpening != head.opening) {
            revert SubmissionNotFound(number_, index);
        }
        uint256 bit = uint256(1) << index;
        uint256 bitmap = _rounds[number].voidedBitmap;
        if (bitmap & bit != 0) revert SubmissionAlreadyVoided(number_, index);
        _rounds[number].voidedBitmap = bitmap | bit;
        ++head.voided;
        emit SubmissionVoided(number_, account, index);
        if (head.phase == RoundPhase.Aggregate && head.revealed - head.voided < _parameters.minUpdates) {
            _abandon(number, head);
        } else {
            _storeHead(number, head);
        }
    }

    /// @dev After publication, before finality: the round is aggregated again, from the next turn on. All rounds built
    ///      on the void model are void too. They are not visited: they lie behind the current round, and when they open
    ///      again their new opening number voids whatever was committed in the old one, at no loss to anybody.
    function _voidPublication(uint64 number_) internal {
        (uint256 number, ) = _advance();
        RoundRecord storage record = _rounds[number_];
        RoundHead memory head = record.head;
        // INVARIANT (C-52): a final round never changes.
        if (number_ > number || head.phase != RoundPhase.Challenge) {
            revert WrongPhase(number_, number_ > number ? RoundPhase.None : head.phase, RoundPhase.Challenge);
        }
        address publisher = record.aggregator;
        head.phase = RoundPhase.Aggregate;
        head.clock = _now();
        ++head.turnBase;
        head.turnsCharged = 0;
        _storeHead(number_, head);
        record.modelRoot = bytes32(0);
        record.publicationHash = bytes32(0);
        record.aggregator = address(0);
        // A round under way is the current one: the one that was, is not under way any more.
        if (number != number_) _rounds[number].head.phase = RoundPhase.None;
        // SAFETY: number_ <= number, which has 32 bits.
        _state.currentRound = uint32(number_);
        emit RoundVoided(number_, publisher, uint64(number));
        emit AggregatePhaseOpened(
            number_,
            head.turnBase,
            _leaderOf(_activeAggregators(number_), number_, head.turnBase),
            head.clock + _parameters.aggregateWindowSeconds
        );
    }
}

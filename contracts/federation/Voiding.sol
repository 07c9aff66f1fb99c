// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RoundPhase} from "../types/Round.sol";
import {ParticipantRecord, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {Penalties} from "./Penalties.sol";

/// @dev What a proven fraud does to a round. Fraud proofs and unanswered challenges lead here (Slashing.sol).
abstract contract Voiding is Penalties {
    /// @dev The submission of the participant with this index does not count (any more). A round left with too few valid
    ///      updates is abandoned. A model that was made with it falls: the aggregator could have seen what was wrong, or
    ///      have answered, so it pays as for a turn that produced nothing. The caller has seen the submission among the
    ///      round's reveals.
    function _voidSubmission(uint64 number_, uint16 index) internal {
        (uint256 number, RoundHead memory head) = _advance();
        if (number_ != number) head = _rounds[number_].head;
        RoundPhase phase = number_ > number ? RoundPhase.None : head.phase;
        // INVARIANT (C-50): a submission is voided while its round can still change.
        if (phase < RoundPhase.Reveal || phase > RoundPhase.Challenge) {
            revert WrongPhase(number_, phase, RoundPhase.Reveal);
        }
        // Within a round that is not final an index means one participant: it cannot have left.
        address account = _participantAt[index];
        ParticipantRecord memory record = _participants[account].record;
        // INVARIANT (C-51): only a submission that is there, and once.
        if (account == address(0) || (record.committedOpening == head.opening && !record.revealed)) {
            revert SubmissionNotFound(number_, index);
        }
        uint256 bit = uint256(1) << index;
        uint256 bitmap = _rounds[number_].voidedBitmap;
        if (bitmap & bit != 0) revert SubmissionAlreadyVoided(number_, index);
        _rounds[number_].voidedBitmap = bitmap | bit;
        ++head.voided;
        emit SubmissionVoided(number_, account, index);
        if (phase == RoundPhase.Challenge) {
            uint32 turn = head.turnBase;
            address publisher = _reopen(number_, head, number);
            _burn(_chargeTurn(number_, turn, publisher));
        }
        if (phase != RoundPhase.Reveal && head.revealed - head.voided < _parameters.minUpdates) {
            _abandon(number_, head);
        } else if (phase == RoundPhase.Challenge) {
            _announceTurns(number_, head);
        } else {
            _storeHead(number_, head);
        }
    }

    /// @dev After publication, before finality: the round is aggregated again, from the next turn on.
    function _voidPublication(uint64 number_) internal {
        (uint256 number, ) = _advance();
        RoundHead memory head = _rounds[number_].head;
        // INVARIANT (C-52): a final round never changes.
        if (number_ > number || head.phase != RoundPhase.Challenge) {
            revert WrongPhase(number_, number_ > number ? RoundPhase.None : head.phase, RoundPhase.Challenge);
        }
        _reopen(number_, head, number);
        _announceTurns(number_, head);
    }

    /// @dev Challenge -> Aggregate. All rounds built on the void model are void, too. They are not visited: they lie
    ///      behind the current round, and when they open again their new opening number voids whatever was committed (or
    ///      challenged) in the old one, at no loss to anybody.
    function _reopen(uint64 number_, RoundHead memory head, uint256 current) private returns (address publisher) {
        RoundRecord storage record = _rounds[number_];
        publisher = record.aggregator;
        head.phase = RoundPhase.Aggregate;
        head.clock = _now();
        ++head.turnBase;
        head.turnsCharged = 0;
        head.turnsChargedBefore = 0;
        _storeHead(number_, head);
        record.modelRoot = bytes32(0);
        record.publicationHash = bytes32(0);
        record.aggregator = address(0);
        // Challenges about the publication have lost what they were about (their bonds return); those about updates have
        // not: the submissions stand.
        record.disputes.openPublication = 0;
        // A round under way is the current one: the one that was, is not under way any more.
        if (current != number_) _rounds[current].head.phase = RoundPhase.None;
        // SAFETY: number_ <= current, which has 32 bits.
        _state.currentRound = uint32(number_);
        emit RoundVoided(number_, publisher, uint64(current));
        if (_activeAggregators(number_).length == 0) _callReserves(number_);
    }
}

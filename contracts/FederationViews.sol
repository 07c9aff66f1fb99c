// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationViews} from "./interfaces/IFederationViews.sol";
import {AggregatorView, ParticipantView} from "./types/Actors.sol";
import {FederationParameters} from "./types/FederationParameters.sol";
import {RoundPhase, RoundView} from "./types/Round.sol";
import {
    AggregatorAccount,
    AggregatorEntry,
    ParticipantAccount,
    ParticipantRecord,
    RoundHead,
    RoundRecord
} from "./federation/FederationStorage.sol";
import {Standing} from "./federation/Standing.sol";

/// @title The read-only half of a federation
/// @notice Answers as of now: what the next transaction would find. Federation delegates to this code what it does not
///         know itself: one contract with everything would be larger than EIP-170 lets a contract be.
contract FederationViews is Standing, IFederationViews {
    /// @inheritdoc IFederationViews
    function parameters() external view returns (FederationParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IFederationViews
    function isMember(address account) external view returns (bool) {
        return _parameters.openMembership || _members[account];
    }

    /// @inheritdoc IFederationViews
    function participant(address account) public view returns (ParticipantView memory found) {
        ParticipantAccount storage stored = _participants[account];
        ParticipantRecord memory record = stored.record;
        if (!record.registered) return found;
        found.account = account;
        found.index = record.index;
        found.active = _isActive(stored);
        found.stake = record.stake;
        found.committedRound = record.committedRound;
        found.committedOpening = record.committedOpening;
        found.revealed = record.revealed;
        found.exitRequestedAt = stored.exitRequestedAt;
        (uint256 number, RoundHead memory head) = _current();
        if (_owesReveal(record, number, head)) found.penaltyDue = _missedRevealPenalty(record);
    }

    /// @inheritdoc IFederationViews
    function participantAt(uint16 index) external view returns (ParticipantView memory) {
        return participant(_participantAt[index]);
    }

    /// @inheritdoc IFederationViews
    function participantCount() external view returns (uint16) {
        return _state.participantSlots;
    }

    /// @inheritdoc IFederationViews
    function activeParticipantCount() external view returns (uint16) {
        return _state.activeParticipants;
    }

    /// @inheritdoc IFederationViews
    function aggregators() external view returns (AggregatorView[] memory found) {
        uint256 length = _rotation.length;
        found = new AggregatorView[](length);
        for (uint256 i = 0; i < length; ++i) found[i] = _aggregatorView(_rotation[i]);
    }

    /// @inheritdoc IFederationViews
    function aggregator(address account) external view returns (AggregatorView memory found) {
        AggregatorAccount memory stored = _aggregators[account];
        if (stored.registered) found = _aggregatorView(_rotation[stored.position]);
    }

    function _aggregatorView(AggregatorEntry memory entry) private view returns (AggregatorView memory) {
        AggregatorAccount memory stored = _aggregators[entry.account];
        return
            AggregatorView({
                account: entry.account,
                activeFromRound: entry.activeFromRound,
                activeUntilRound: entry.activeUntilRound,
                stake: stored.stake,
                exitRequestedAt: stored.exitRequestedAt
            });
    }

    /// @inheritdoc IFederationViews
    function currentRound() external view returns (uint64) {
        (uint256 number, ) = _current();
        return uint64(number);
    }

    /// @inheritdoc IFederationViews
    function lastFinalRound() external view returns (uint64) {
        return _state.lastFinalRound;
    }

    /// @inheritdoc IFederationViews
    function currentPhase(uint64 number) external view returns (RoundPhase) {
        return _headOf(number).phase;
    }

    /// @inheritdoc IFederationViews
    function round(uint64 number) external view returns (RoundView memory found) {
        found.number = number;
        RoundHead memory head = _headOf(number);
        found.phase = head.phase;
        if (head.phase == RoundPhase.None) return found;
        RoundRecord storage record = _rounds[number];
        found.opening = head.opening;
        found.expected = head.phase == RoundPhase.Open ? _state.activeParticipants : head.expected;
        found.committed = head.committed;
        found.revealed = head.revealed;
        found.turn = head.turnBase;
        // A round that opened a moment ago, as of now, may have been open before: then its record is of the void
        // opening.
        bool stored = record.head.opening == head.opening;
        if (stored) {
            found.accumulator = _accumulator(number);
            found.seed = head.seedFixed ? record.seed : bytes32(0);
            found.modelRoot = record.modelRoot;
            found.publicationHash = record.publicationHash;
            found.aggregator = record.aggregator;
            found.voidedBitmap = record.voidedBitmap;
            found.openChallenges = record.disputes.openUpdates + record.disputes.openPublication;
            found.holdUntil = record.disputes.holdUntil;
        }
        found.baseModelRoot = _baseModelRoot(number);
        // The round before was abandoned, and nobody has written that down yet: it leaves the model as it was.
        if (found.baseModelRoot == bytes32(0)) found.baseModelRoot = _baseModelRoot(number - 1);
        if (head.phase == RoundPhase.Abandoned) found.modelRoot = found.baseModelRoot;
        if (head.phase == RoundPhase.Commit || head.phase == RoundPhase.Reveal) found.deadline = head.clock;
        if (head.phase == RoundPhase.Aggregate) {
            found.turn = _turn(head);
            found.leader = _leaderOf(_activeAggregators(number), number, found.turn);
            found.deadline =
                head.clock +
                uint64(found.turn - head.turnBase + 1) *
                _parameters.aggregateWindowSeconds;
        }
        if (head.phase == RoundPhase.Challenge || head.phase == RoundPhase.Final) found.publishedAt = head.clock;
        if (head.phase == RoundPhase.Challenge) {
            found.deadline = head.clock + _parameters.challengeWindowSeconds;
            if (record.disputes.holdUntil > found.deadline) found.deadline = record.disputes.holdUntil;
        }
    }

    /// @inheritdoc IFederationViews
    function leader(uint64 number) external view returns (address) {
        RoundHead memory head = _headOf(number);
        if (head.phase != RoundPhase.Aggregate) return address(0);
        return _leaderOf(_activeAggregators(number), number, _turn(head));
    }

    /// @inheritdoc IFederationViews
    function hasCommitted(uint64 number, address account) public view returns (bool) {
        ParticipantRecord memory record = _participants[account].record;
        return record.committedRound == number && _commitStands(record, _state.currentRound);
    }

    /// @inheritdoc IFederationViews
    function hasRevealed(uint64 number, address account) external view returns (bool) {
        return hasCommitted(number, account) && _participants[account].record.revealed;
    }

    /// @inheritdoc IFederationViews
    function commitHashOf(address account) external view returns (bytes32) {
        bytes32 commitHash = _participants[account].commitHash;
        return commitHash == EMPTY ? bytes32(0) : commitHash;
    }

    /// @inheritdoc IFederationViews
    function totalBurned() external view returns (uint256) {
        return _totalBurned;
    }

    /// @dev The current round as of now: as stored, with the transitions that are due; or the one after it, when that
    ///      one is over.
    function _current() private view returns (uint256 number, RoundHead memory head) {
        number = _state.currentRound;
        if (number == 0) return (number, head);
        head = _rounds[number].head;
        Elapsed memory elapsed = _elapse(head);
        bool last = _parameters.totalRounds != 0 && number >= _parameters.totalRounds;
        if (elapsed.revealsClosed && head.phase == RoundPhase.Abandoned && !last) {
            RoundHead memory next;
            next.phase = RoundPhase.Open;
            next.opening = _state.openings + 1;
            return (number + 1, next);
        }
    }

    /// @dev Any round as of now.
    function _headOf(uint256 number) private view returns (RoundHead memory head) {
        (uint256 current, RoundHead memory currentHead) = _current();
        if (number == 0 || number > current) return head;
        if (number == current) return currentHead;
        head = _rounds[number].head;
        if (number == _state.currentRound) _elapse(head);
    }
}

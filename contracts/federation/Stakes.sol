// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IFederationMembership} from "../interfaces/IFederationMembership.sol";
import {Role} from "../types/Actors.sol";
import {RoundPhase} from "../types/Round.sol";
import {AggregatorAccount, AggregatorEntry, ParticipantAccount, ParticipantRecord, RoundHead} from "./FederationStorage.sol";
import {Penalties} from "./Penalties.sol";

/// @dev What happens to coin between registration and withdrawal. A stake answers for every round that is not final: it
///      leaves only through `withdraw`, by its owner, after the delay.
abstract contract Stakes is Penalties, IFederationMembership {
    using SafeCast for uint256;

    /// @inheritdoc IFederationMembership
    function topUp(Role role, uint96 amount, bytes calldata permit) external payable {
        if (amount == 0) revert ZeroAmount();
        _collect(amount, permit);
        (uint256 number, RoundHead memory head) = _advance();
        uint96 stake;
        if (role == Role.Participant) {
            ParticipantAccount storage account = _registered(msg.sender);
            if (account.exitRequestedAt != 0) revert ExitAlreadyRequested(msg.sender, role);
            if (_owesReveal(account.record, number, head)) _chargeMissedReveal(msg.sender, number, head);
            bool wasActive = _isActive(account);
            stake = (uint256(account.record.stake) + amount).toUint96();
            account.record.stake = stake;
            account.record.funded = stake >= _parameters.participantStake;
            if (!wasActive && _isActive(account)) {
                account.record.joinedRoster = _state.rosters;
                ++_state.activeParticipants;
                _openFirstRound();
            }
        } else {
            AggregatorAccount storage account = _registeredAggregator(msg.sender);
            if (account.exitRequestedAt != 0) revert ExitAlreadyRequested(msg.sender, role);
            stake = (uint256(account.stake) + amount).toUint96();
            account.stake = stake;
            AggregatorEntry storage entry = _rotation[account.position];
            if (entry.activeUntilRound != NO_END && stake >= _parameters.aggregatorStake) {
                bool away = entry.activeUntilRound < number;
                if (away) entry.activeFromRound = _joiningRound(number, head);
                entry.activeUntilRound = NO_END;
                if (away && entry.activeFromRound == number && head.phase == RoundPhase.Aggregate) {
                    _restartTurns(number, head);
                }
            }
        }
        emit StakeAdded(msg.sender, role, amount, stake);
    }

    /// @inheritdoc IFederationMembership
    function settleMissedReveal(address participant_) external {
        (uint256 number, RoundHead memory head) = _advance();
        // INVARIANT (C-40): only who committed, in an opening that still stands, and did not reveal in time, pays; and
        // once.
        if (!_owesReveal(_participants[participant_].record, number, head)) revert NothingToSettle(participant_);
        _chargeMissedReveal(participant_, number, head);
    }

    /// @inheritdoc IFederationMembership
    function requestExit(Role role) external {
        (uint256 number, RoundHead memory head) = _advance();
        if (role == Role.Participant) {
            ParticipantAccount storage account = _registered(msg.sender);
            // INVARIANT (C-05): the delay of an exit cannot be restarted or skipped.
            if (account.exitRequestedAt != 0) revert ExitAlreadyRequested(msg.sender, role);
            if (_owesReveal(account.record, number, head)) _chargeMissedReveal(msg.sender, number, head);
            if (_isActive(account)) --_state.activeParticipants;
            account.exitRequestedAt = _now();
            emit ExitRequested(msg.sender, role, _now() + _parameters.withdrawalDelaySeconds);
            bool awaited = _isExpected(account.record, head);
            account.record.lastRoster = awaited ? head.roster - 1 : _state.rosters;
            if (awaited) {
                --head.expected;
                if (account.record.committedOpening == head.opening) {
                    // An unrevealed commit is taken back, so a round that never fills up locks nobody in.
                    account.record.committedOpening = 0;
                    --head.committed;
                    emit CommitRetracted(uint64(number), msg.sender);
                }
                _storeCommitHead(number, head);
            }
        } else {
            AggregatorAccount storage account = _registeredAggregator(msg.sender);
            if (account.exitRequestedAt != 0) revert ExitAlreadyRequested(msg.sender, role);
            _exitAggregator(msg.sender, number, head.phase);
        }
    }

    /// @inheritdoc IFederationMembership
    function withdraw(Role role) external {
        (uint256 number, RoundHead memory head) = _advance();
        uint256 amount = role == Role.Participant ? _closeParticipant(number, head) : _closeAggregator(number, head);
        emit Withdrawn(msg.sender, role, amount);
        // Last, after every state change: whoever re-enters finds nothing left to take.
        _pay(msg.sender, amount);
    }

    function _closeParticipant(uint256 number, RoundHead memory head) private returns (uint256 amount) {
        ParticipantAccount storage account = _registered(msg.sender);
        _checkDelay(account.exitRequestedAt, Role.Participant);
        if (_owesReveal(account.record, number, head)) _chargeMissedReveal(msg.sender, number, head);
        ParticipantRecord memory record = account.record;
        // A void commit puts nothing at stake, but the rounds before it may.
        uint256 last = record.committedRound;
        if (last != 0 && !_commitStands(record, number)) {
            last = _lastThere(last - 1, number, head.phase >= RoundPhase.Aggregate);
        }
        // INVARIANT (C-41): a stake at risk cannot leave.
        if (last > _state.lastFinalRound) revert StakeAtRisk(msg.sender, uint64(last), _state.lastFinalRound);
        bool awaited = _isExpected(record, head);
        amount = record.stake;
        delete _participants[msg.sender];
        delete _participantAt[record.index];
        _freeIndices.push(record.index);
        if (awaited) {
            --head.expected;
            _storeCommitHead(number, head);
        }
    }

    function _closeAggregator(uint256 number, RoundHead memory head) private returns (uint256 amount) {
        AggregatorAccount storage account = _registeredAggregator(msg.sender);
        _checkDelay(account.exitRequestedAt, Role.Aggregator);
        uint256 last = account.lastPublishedRound;
        if (last != 0) last = _lastThere(last, number, head.phase >= RoundPhase.Challenge);
        // INVARIANT (C-41): a stake at risk cannot leave.
        if (last > _state.lastFinalRound) revert StakeAtRisk(msg.sender, uint64(last), _state.lastFinalRound);
        amount = account.stake;
        // Its place in the rotation stays until its last round is final: turns of a round under way do not move.
        delete _aggregators[msg.sender];
    }

    /// @dev A round that somebody had a part in, at most the last one that is there: those after it were voided. The
    ///      current one holds the stake only if it was opened `again`, not if it starts anew: else a federation at rest
    ///      would keep it.
    function _lastThere(uint256 last, uint256 number, bool again) private pure returns (uint256) {
        if (last < number) return last;
        return again ? number : number - 1;
    }

    function _checkDelay(uint40 exitRequestedAt, Role role) private view {
        if (exitRequestedAt == 0) revert ExitNotRequested(msg.sender, role);
        uint256 availableAt = uint256(exitRequestedAt) + _parameters.withdrawalDelaySeconds;
        // INVARIANT (C-42): whoever leaves can be seen leaving.
        if (block.timestamp < availableAt) revert WithdrawalTooEarly(uint64(availableAt));
    }

    /// @dev The owner takes a participant off the list. It stays expected in a round that has commits already.
    function _dismissParticipant(address account_, uint256 number, RoundHead memory head) internal {
        ParticipantAccount storage account = _participants[account_];
        if (_isActive(account)) --_state.activeParticipants;
        account.exitRequestedAt = _now();
        account.record.lastRoster = _state.rosters;
        emit ExitRequested(account_, Role.Participant, _now() + _parameters.withdrawalDelaySeconds);
        if (head.phase == RoundPhase.Commit && account.record.committedOpening == head.opening) {
            ++head.departed;
            _storeHead(number, head);
        }
    }

    function _exitAggregator(address account, uint256 number, RoundPhase phase) internal {
        _leaveRotation(account, number, phase);
        _aggregators[account].exitRequestedAt = _now();
        emit ExitRequested(account, Role.Aggregator, _now() + _parameters.withdrawalDelaySeconds);
    }
}

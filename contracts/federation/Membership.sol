// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationMembership} from "../interfaces/IFederationMembership.sol";
import {Role} from "../types/Actors.sol";
import {RoundPhase} from "../types/Round.sol";
import {AggregatorAccount, AggregatorEntry, ParticipantAccount, ParticipantRecord, RoundHead} from "./FederationStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @dev Who may take part, and how one registers.
abstract contract Membership is Stakes {
    uint256 internal constant MAX_GATEWAY_LENGTH = 256;

    /// @inheritdoc IFederationMembership
    function addMembers(address[] calldata accounts) external onlyOwner {
        _addMembers(accounts);
    }

    /// @inheritdoc IFederationMembership
    function removeMembers(address[] calldata accounts) external onlyOwner {
        (uint256 number, RoundHead memory head) = _advance();
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[i];
            if (!_members[account]) revert NotAMember(account);
            _members[account] = false;
            emit MemberRemoved(account);
            if (_participants[account].record.registered && _participants[account].exitRequestedAt == 0) {
                _dismissParticipant(account, number, head);
            }
            AggregatorAccount storage aggregatorAccount = _aggregators[account];
            if (aggregatorAccount.registered && aggregatorAccount.exitRequestedAt == 0) {
                _exitAggregator(account, number, head.phase);
            }
        }
    }

    /// @inheritdoc IFederationMembership
    function registerParticipant(string calldata gateway, uint96 amount, bytes calldata permit) external payable {
        _checkMember();
        _collect(amount, permit);
        _advance();
        ParticipantAccount storage account = _participants[msg.sender];
        // INVARIANT (C-02): an account registers once per role.
        if (account.record.registered) revert AlreadyRegistered(msg.sender, Role.Participant);
        // INVARIANT (C-04): nobody takes part without the stake that answers for it.
        if (amount < _parameters.participantStake) revert StakeTooLow(amount, _parameters.participantStake);
        ParticipantRecord memory record;
        record.index = _takeIndex();
        record.stake = amount;
        record.joinedRoster = _state.rosters;
        record.lastRoster = NO_END;
        record.registered = true;
        record.funded = true;
        account.record = record;
        account.commitHash = EMPTY;
        _participantAt[record.index] = msg.sender;
        ++_state.activeParticipants;
        emit ParticipantRegistered(msg.sender, record.index, record.stake, _checkGateway(gateway));
        _openFirstRound();
    }

    /// @inheritdoc IFederationMembership
    function registerAggregator(string calldata gateway, uint96 amount, bytes calldata permit) external payable {
        _checkMember();
        _collect(amount, permit);
        (uint256 number, RoundHead memory head) = _advance();
        AggregatorAccount storage account = _aggregators[msg.sender];
        if (account.registered) revert AlreadyRegistered(msg.sender, Role.Aggregator);
        if (amount < _parameters.aggregatorStake) revert StakeTooLow(amount, _parameters.aggregatorStake);
        _pruneRotation(_state.lastFinalRound);
        // INVARIANT (C-03): loops over the rotation are bounded.
        if (_rotation.length >= MAX_AGGREGATORS) revert TooManyAggregators(MAX_AGGREGATORS);
        uint32 from = _joiningRound(number, head);
        account.stake = amount;
        account.registered = true;
        // SAFETY: fewer than MAX_AGGREGATORS.
        account.position = uint8(_rotation.length);
        _rotation.push(AggregatorEntry({account: msg.sender, activeFromRound: from, activeUntilRound: NO_END}));
        emit AggregatorRegistered(msg.sender, account.stake, from, _checkGateway(gateway));
        if (from == number && head.phase == RoundPhase.Aggregate) _restartTurns(number, head);
        _openFirstRound();
    }

    /// @inheritdoc IFederationMembership
    function setGateway(string calldata gateway) external {
        if (!_participants[msg.sender].record.registered && !_aggregators[msg.sender].registered) {
            revert NotRegistered(msg.sender, Role.Participant);
        }
        emit GatewayChanged(msg.sender, _checkGateway(gateway));
    }

    function _checkMember() private view {
        // INVARIANT (C-01): a closed federation is for its members, in either role.
        if (!_parameters.openMembership && !_members[msg.sender]) revert NotAMember(msg.sender);
    }

    function _checkGateway(string calldata gateway) private pure returns (string calldata) {
        // INVARIANT (C-06): an event that everybody must read has a bounded size.
        if (bytes(gateway).length > MAX_GATEWAY_LENGTH) revert GatewayTooLong(bytes(gateway).length, MAX_GATEWAY_LENGTH);
        return gateway;
    }

    /// @dev An index that a withdrawn participant gave back, or the next one. It was given back after its last round
    ///      was final, so within a round that can still be disputed an index means one participant.
    function _takeIndex() private returns (uint8) {
        uint256 free = _freeIndices.length;
        if (free != 0) {
            uint8 given = _freeIndices[free - 1];
            _freeIndices.pop();
            return given;
        }
        uint8 index = _state.participantSlots;
        // INVARIANT (C-03): never more participants than a fraud proof can carry.
        if (index >= _parameters.maxParticipants) revert TooManyParticipants(_parameters.maxParticipants);
        _state.participantSlots = index + 1;
        return index;
    }
}

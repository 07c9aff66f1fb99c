// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Role} from "../types/Actors.sol";
import {RoundPhase} from "../types/Round.sol";
import {AggregatorAccount, ParticipantAccount, ParticipantRecord, RoundHead} from "./FederationStorage.sol";
import {RoundClock} from "./RoundClock.sol";

/// @dev How a participant stands to the round: questions that actions and views ask alike.
abstract contract Standing is RoundClock {
    /// @dev Whether a round in Commit counts on this participant: it is on the round's list and its stake suffices.
    function _isExpected(ParticipantRecord memory record, RoundHead memory head) internal pure returns (bool) {
        return
            head.phase == RoundPhase.Commit &&
            _onRoster(record, head.roster) &&
            record.funded;
    }

    /// @dev Whether the record's commit belongs to its round's present opening.
    function _commitStands(ParticipantRecord memory record, uint256 number) internal view returns (bool) {
        return
            record.committedOpening != 0 &&
            record.committedRound <= number &&
            _rounds[record.committedRound].head.opening == record.committedOpening;
    }

    /// @dev Whether the record has a commit that was due for reveal and was not revealed. A commit of a voided opening
    ///      owes nothing.
    function _owesReveal(
        ParticipantRecord memory record,
        uint256 number,
        RoundHead memory head
    ) internal view returns (bool) {
        if (record.committedOpening == 0 || record.revealed || !_commitStands(record, number)) return false;
        return record.committedRound < number || head.phase > RoundPhase.Reveal;
    }

    function _missedRevealPenalty(ParticipantRecord memory record) internal view returns (uint96) {
        uint96 penalty = _parameters.missedRevealPenalty;
        return penalty < record.stake ? penalty : record.stake;
    }

    function _addMembers(address[] calldata accounts) internal {
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (_members[accounts[i]]) revert AlreadyAMember(accounts[i]);
            _members[accounts[i]] = true;
            emit MemberAdded(accounts[i]);
        }
    }

    function _registered(address account) internal view returns (ParticipantAccount storage found) {
        found = _participants[account];
        if (!found.record.registered) revert NotRegistered(account, Role.Participant);
    }

    function _registeredAggregator(address account) internal view returns (AggregatorAccount storage found) {
        found = _aggregators[account];
        if (!found.registered) revert NotRegistered(account, Role.Aggregator);
    }
}

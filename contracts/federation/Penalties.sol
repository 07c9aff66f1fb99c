// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ParticipantAccount, ParticipantRecord, RoundHead} from "./FederationStorage.sol";
import {Standing} from "./Standing.sol";

/// @dev What is taken out of a participant's stake, and what that does to the round that waits for it.
abstract contract Penalties is Standing {
    /// @dev Burns the penalty. Whoever falls below the stake is not active until it tops up.
    function _chargeMissedReveal(address participant_, uint256 number, RoundHead memory head) internal {
        ParticipantAccount storage account = _participants[participant_];
        ParticipantRecord memory record = account.record;
        uint96 penalty = _missedRevealPenalty(record);
        record.committedOpening = 0;
        emit RevealMissed(record.committedRound, participant_, penalty, record.stake - penalty);
        _takeStake(account, record, penalty, number, head);
        _burn(penalty);
    }

    /// @dev Takes `amount` out of a participant's stake (the caller says where it goes) and stores `record`. Whoever
    ///      falls below the stake is not active until it tops up, and not waited for.
    function _takeStake(
        ParticipantAccount storage account,
        ParticipantRecord memory record,
        uint96 amount,
        uint256 number,
        RoundHead memory head
    ) internal {
        bool wasActive = _isActive(account);
        bool wasExpected = _isExpected(account.record, head);
        record.stake -= amount;
        record.funded = record.stake >= _parameters.participantStake;
        account.record = record;
        if (wasActive && !_isActive(account)) --_state.activeParticipants;
        if (wasExpected && !_isExpected(record, head)) {
            --head.expected;
            _storeCommitHead(number, head);
        }
    }

    /// @dev Stores a round in Commit that lost somebody it waited for: maybe everybody else has committed already.
    function _storeCommitHead(uint256 number, RoundHead memory head) internal {
        _closeCommitsIfComplete(number, head);
        _storeHead(number, head);
    }

    /// @dev Commit -> Reveal at once when everybody expected has committed.
    function _closeCommitsIfComplete(uint256 number, RoundHead memory head) internal returns (bool) {
        if (head.committed != head.expected || head.committed < _parameters.minUpdates) return false;
        _closeCommits(number, head);
        return true;
    }
}

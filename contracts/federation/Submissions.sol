// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Cid} from "../libraries/Cid.sol";
import {CommitHash, SealedUpdate} from "../libraries/CommitHash.sol";
import {Role} from "../types/Actors.sol";
import {RoundPhase} from "../types/Round.sol";
import {ParticipantAccount, ParticipantRecord, RoundHead} from "./FederationStorage.sol";
import {Penalties} from "./Penalties.sol";

/// @dev A round's reveals under way: read once and written once, however many there are in a call.
struct RevealsUnderWay {
    uint256 number;
    RoundHead head;
    bytes32 baseModelRoot;
    bytes32 accumulator;
}

/// @dev Commit and reveal, by whomever they are brought: the participant's own call (Rounds) reverts with the problem
///      that these functions return, a batch of signed messages (FederationRelay) skips the message. A problem is the
///      encoded custom error; empty means done. What is done to the round's head is stored at the end of the call.
abstract contract Submissions is Penalties {
    // ---- commit

    function _tryCommit(
        uint64 number_,
        uint256 number,
        RoundHead memory head,
        address participant_,
        bytes32 commitHash
    ) internal returns (bytes memory problem) {
        // INVARIANT (C-10): commits are for the current round, while it takes commits.
        if (number_ != number || (head.phase != RoundPhase.Open && head.phase != RoundPhase.Commit)) {
            return _wrongPhase(number_, number, head, RoundPhase.Commit);
        }
        // INVARIANT (C-14): zero stands for "no commit".
        if (commitHash == bytes32(0)) return abi.encodeWithSelector(EmptyCommitHash.selector);
        ParticipantAccount storage account = _participants[participant_];
        ParticipantRecord memory record = account.record;
        if (!record.registered) return abi.encodeWithSelector(NotRegistered.selector, participant_, Role.Participant);
        if (_owesReveal(record, number, head)) {
            // As anybody may at any time (settleMissedReveal), whatever becomes of this commit.
            _chargeMissedReveal(participant_, number, head);
            record = account.record;
        }
        // INVARIANT (C-13): every commit has its stake behind it.
        if (!record.funded) {
            return abi.encodeWithSelector(StakeTooLow.selector, record.stake, _parameters.participantStake);
        }
        bool first = head.phase == RoundPhase.Open;
        // INVARIANT (C-11): only who is on the list that the first commit (or an extension) closed.
        if (!_onRoster(record, first ? _state.rosters + 1 : head.roster)) {
            return abi.encodeWithSelector(NotExpected.selector, number_, participant_);
        }
        // INVARIANT (C-12): one commit per participant and opening.
        if (record.committedOpening == head.opening) {
            return abi.encodeWithSelector(AlreadyCommitted.selector, number_, participant_);
        }

        if (first) _startClock(number, head);
        record.committedRound = uint32(number);
        record.committedOpening = head.opening;
        record.revealed = false;
        _storeRecord(account, record);
        account.commitHash = commitHash;
        ++head.committed;
        // On its way out since the owner removed it: an extension would not find it among the active.
        if (record.lastRoster != NO_END) ++head.departed;
        emit UpdateCommitted(number_, participant_, commitHash);
    }

    /// @dev Ends a call that committed something.
    function _storeCommits(uint256 number, RoundHead memory head) internal {
        _storeCommitHead(number, head);
    }

    /// @dev Open -> Commit: the first commit starts the clock and closes the list of who is expected.
    function _startClock(uint256 number, RoundHead memory head) private {
        head.roster = ++_state.rosters;
        head.phase = RoundPhase.Commit;
        head.clock = _now() + _parameters.commitWindowSeconds;
        head.expected = _state.activeParticipants;
        emit CommitPhaseOpened(uint64(number), head.expected, head.clock);
    }

    // ---- reveal

    function _revealsUnderWay(uint64 number_) internal returns (RevealsUnderWay memory reveals) {
        (reveals.number, reveals.head) = _advanceFrom(number_);
        if (reveals.number == 0) return reveals;
        reveals.baseModelRoot = _baseModelRoot(reveals.number);
        reveals.accumulator = _accumulator(reveals.number);
    }

    function _tryReveal(
        uint64 number_,
        RevealsUnderWay memory reveals,
        address participant_,
        bytes32 root,
        uint64 normSq,
        bytes calldata cid,
        bytes32 cidHash,
        bytes32 salt
    ) internal returns (bytes memory problem) {
        RoundHead memory head = reveals.head;
        // INVARIANT (C-20): reveals are for the current round, after commits are closed.
        if (number_ != reveals.number || head.phase != RoundPhase.Reveal) {
            return _wrongPhase(number_, reveals.number, head, RoundPhase.Reveal);
        }
        ParticipantAccount storage account = _participants[participant_];
        ParticipantRecord memory record = account.record;
        // INVARIANT (C-21): a reveal opens a commit of this opening of the round.
        if (record.committedOpening != head.opening) {
            return abi.encodeWithSelector(NotCommitted.selector, number_, participant_);
        }
        // INVARIANT (C-22): once.
        if (record.revealed) return abi.encodeWithSelector(AlreadyRevealed.selector, number_, participant_);
        // INVARIANT (C-23): the zero root opens to nothing, so nobody may stand behind it.
        if (root == bytes32(0)) return abi.encodeWithSelector(ZeroRoot.selector);
        // INVARIANT (C-24): the norm bound holds for every update that counts.
        if (normSq > _parameters.normSqBound) {
            return abi.encodeWithSelector(NormAboveBound.selector, normSq, _parameters.normSqBound);
        }
        if (!Cid.isCanonical(cid)) return abi.encodeWithSelector(Cid.InvalidCid.selector, cid);
        bytes32 sealed_ = CommitHash.seal(
            SealedUpdate({
                chainId: block.chainid,
                federation: address(this),
                round: number_,
                baseModelRoot: reveals.baseModelRoot,
                participant: participant_,
                root: root,
                normSq: normSq,
                cidHash: cidHash,
                salt: salt
            })
        );
        // INVARIANT (C-26): what is revealed is what was sealed: by this sender, for this round, model, contract and
        // chain.
        if (sealed_ != account.commitHash) {
            return abi.encodeWithSelector(CommitHashMismatch.selector, account.commitHash, sealed_);
        }

        account.record.revealed = true;
        ++head.revealed;
        reveals.accumulator = CommitHash.accumulate(
            reveals.accumulator,
            record.index,
            participant_,
            root,
            normSq,
            cidHash
        );
        emit UpdateRevealed(number_, participant_, record.index, root, normSq, cid);
    }

    /// @dev Ends a call that revealed something.
    function _storeReveals(RevealsUnderWay memory reveals) internal {
        (uint256 number, RoundHead memory head) = (reveals.number, reveals.head);
        _rounds[number].accumulator = reveals.accumulator;
        if (head.revealed == head.committed) _closeReveals(number, head);
        else _storeHead(number, head);
    }

    // ---- problems

    /// @dev Reverts with a problem, as the contract's own error.
    function _raise(bytes memory problem) internal pure {
        // SAFETY: reads `problem` only.
        assembly ("memory-safe") {
            revert(add(problem, 0x20), mload(problem))
        }
    }

    function _wrongPhase(
        uint64 number_,
        uint256 number,
        RoundHead memory head,
        RoundPhase required
    ) internal view returns (bytes memory) {
        RoundPhase phase = number_ == number ? head.phase : _phaseOf(number_);
        return abi.encodeWithSelector(WrongPhase.selector, number_, phase, required);
    }

    /// @dev The phase for an error message, after `_advance`.
    function _phaseOf(uint256 number) internal view returns (RoundPhase) {
        return number == 0 || number > _state.currentRound ? RoundPhase.None : _rounds[number].head.phase;
    }
}

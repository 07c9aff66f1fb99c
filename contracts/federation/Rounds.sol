// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationActions} from "../interfaces/IFederationActions.sol";
import {Cid} from "../libraries/Cid.sol";
import {CommitHash, SealedUpdate} from "../libraries/CommitHash.sol";
import {Role} from "../types/Actors.sol";
import {PreAggregation, ServerOptimizer} from "../types/FederationParameters.sol";
import {Publication, RoundPhase} from "../types/Round.sol";
import {ParticipantAccount, ParticipantRecord, RoundDisputes, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @dev The life of a round, in its order: commit, reveal, publish, finalize.
abstract contract Rounds is Stakes {
    /// @inheritdoc IFederationActions
    function commitUpdate(uint64 number_, bytes32 commitHash) external {
        (uint256 number, RoundHead memory head) = _advanceFrom(number_);
        bool first = head.phase == RoundPhase.Open;
        // INVARIANT (C-10): commits are for the current round, while it takes commits.
        if (number_ != number || (!first && head.phase != RoundPhase.Commit)) {
            revert WrongPhase(number_, _phaseOf(number_), RoundPhase.Commit);
        }
        // INVARIANT (C-14): zero stands for "no commit".
        if (commitHash == bytes32(0)) revert EmptyCommitHash();
        ParticipantAccount storage account = _registered(msg.sender);
        if (_owesReveal(account.record, number, head)) _chargeMissedReveal(msg.sender, number, head);
        ParticipantRecord memory record = account.record;
        // INVARIANT (C-13): every commit has its stake behind it.
        if (!record.funded) revert StakeTooLow(record.stake, _parameters.participantStake);
        if (first) _startClock(number, head);
        // INVARIANT (C-11): only who is on the list that the first commit (or an extension) closed.
        if (!_onRoster(record, head.roster)) revert NotExpected(number_, msg.sender);
        // INVARIANT (C-12): one commit per participant and opening.
        if (record.committedOpening == head.opening) revert AlreadyCommitted(number_, msg.sender);

        // Field by field: the compiler would write all others of the slot one by one, too.
        account.record.committedRound = uint32(number);
        account.record.committedOpening = head.opening;
        account.record.revealed = false;
        account.commitHash = commitHash;
        ++head.committed;
        // On its way out since the owner removed it: an extension would not find it among the active.
        if (record.lastRoster != NO_END) ++head.departed;
        emit UpdateCommitted(number_, msg.sender, commitHash);
        bool closed = _closeCommitsIfComplete(number, head);
        if (first || closed || record.lastRoster != NO_END) {
            _storeHead(number, head);
        } else {
            _rounds[number].head.committed = head.committed;
        }
    }

    /// @dev Open -> Commit: the first commit starts the clock and closes the list of who is expected.
    function _startClock(uint256 number, RoundHead memory head) private {
        head.roster = ++_state.rosters;
        head.phase = RoundPhase.Commit;
        head.clock = _now() + _parameters.commitWindowSeconds;
        head.expected = _state.activeParticipants;
        emit CommitPhaseOpened(uint64(number), head.expected, head.clock);
    }

    /// @inheritdoc IFederationActions
    function revealUpdate(uint64 number_, bytes32 root, uint64 normSq, bytes calldata cid, bytes32 salt) external {
        (uint256 number, RoundHead memory head) = _advanceFrom(number_);
        // INVARIANT (C-20): reveals are for the current round, after commits are closed.
        if (number_ != number || head.phase != RoundPhase.Reveal) {
            revert WrongPhase(number_, _phaseOf(number_), RoundPhase.Reveal);
        }
        ParticipantAccount storage account = _participants[msg.sender];
        ParticipantRecord memory record = account.record;
        // INVARIANT (C-21): a reveal opens a commit of this opening of the round.
        if (record.committedOpening != head.opening) revert NotCommitted(number_, msg.sender);
        // INVARIANT (C-22): once.
        if (record.revealed) revert AlreadyRevealed(number_, msg.sender);
        // INVARIANT (C-23): the zero root opens to nothing, so nobody may stand behind it.
        if (root == bytes32(0)) revert ZeroRoot();
        // INVARIANT (C-24): the norm bound holds for every update that counts.
        if (normSq > _parameters.normSqBound) revert NormAboveBound(normSq, _parameters.normSqBound);
        Cid.check(cid);
        bytes32 cidHash = keccak256(cid);
        bytes32 sealed_ = CommitHash.seal(
            SealedUpdate({
                chainId: block.chainid,
                federation: address(this),
                round: number_,
                baseModelRoot: _baseModelRoot(number),
                participant: msg.sender,
                root: root,
                normSq: normSq,
                cidHash: cidHash,
                salt: salt
            })
        );
        // INVARIANT (C-26): what is revealed is what was sealed: by this sender, for this round, model, contract and
        // chain.
        if (sealed_ != account.commitHash) revert CommitHashMismatch(account.commitHash, sealed_);

        account.record.revealed = true;
        ++head.revealed;
        bytes32 accumulator = _accumulator(number);
        _rounds[number].accumulator = CommitHash.accumulate(
            accumulator,
            record.index,
            msg.sender,
            root,
            normSq,
            cidHash
        );
        emit UpdateRevealed(number_, msg.sender, record.index, root, normSq, cid);
        if (head.revealed == head.committed) _closeReveals(number, head);
        else _rounds[number].head.revealed = head.revealed;
    }

    /// @inheritdoc IFederationActions
    function publishRound(uint64 number_, Publication calldata publication) external {
        (uint256 number, RoundHead memory head) = _advanceFrom(number_);
        // INVARIANT (C-30): only the current round, only when reveals are closed.
        if (number_ != number || head.phase != RoundPhase.Aggregate) {
            revert WrongPhase(number_, _phaseOf(number_), RoundPhase.Aggregate);
        }
        uint32 turn = _turn(head);
        address expectedLeader = _leaderOf(_activeAggregators(number), number, turn);
        // INVARIANT (C-31): a turn belongs to one aggregator, and it has a stake.
        if (msg.sender != expectedLeader) revert NotTheLeader(number_, turn, expectedLeader, msg.sender);
        if (!_aggregators[msg.sender].registered) revert NotRegistered(msg.sender, Role.Aggregator);
        // INVARIANT (C-32): nothing is published before the seed it may depend on.
        if (!head.seedFixed) revert SeedNotFixed(number_, head.seedBlock);
        // INVARIANT (C-33): a model has a root and a name.
        if (publication.modelRoot == bytes32(0)) revert ZeroRoot();
        Cid.check(publication.modelCid);
        Cid.check(publication.evidenceCid);
        _checkRoots(publication);
        RoundRecord storage record = _rounds[number];
        bytes32 set = keccak256(abi.encode(_accumulator(number), record.voidedBitmap));
        // INVARIANT (C-37): nobody chooses who counts; and nobody is punished for a set that changed under way.
        if (publication.submissionSet != set) revert WrongSubmissionSet(set, publication.submissionSet);

        head.phase = RoundPhase.Challenge;
        head.clock = _now();
        head.turnBase = turn;
        _storeHead(number, head);
        record.modelRoot = publication.modelRoot;
        record.publicationHash = keccak256(abi.encode(publication));
        record.aggregator = msg.sender;
        _aggregators[msg.sender].lastPublishedRound = uint32(number);
        emit RoundPublished(
            number_,
            msg.sender,
            publication.modelRoot,
            publication.stateRoot,
            publication.gramRoot,
            publication.mixingHash,
            publication.submissionSet,
            publication.modelCid,
            publication.evidenceCid
        );
        _openRoundAfter(number);
    }

    /// @dev A root is there exactly when the rule or the step has something to commit to.
    function _checkRoots(Publication calldata publication) private view {
        bool state = _parameters.serverStep.optimizer != ServerOptimizer.FedAvg;
        bool gram = _parameters.rule.preAggregation != PreAggregation.None;
        // INVARIANT (C-38): no publication has a root that no proof could speak of, or lacks one.
        if ((publication.stateRoot != 0) != state) revert UnexpectedRoot("stateRoot", publication.stateRoot);
        if ((publication.gramRoot != 0) != gram) revert UnexpectedRoot("gramRoot", publication.gramRoot);
        if ((publication.mixingHash != 0) != gram) revert UnexpectedRoot("mixingHash", publication.mixingHash);
    }

    /// @inheritdoc IFederationActions
    function finalizeRound(uint64 number_) external {
        (uint256 number, ) = _advance();
        _passAbandoned();
        uint256 next = uint256(_state.lastFinalRound) + 1;
        RoundRecord storage record = _rounds[number_];
        // A round that was abandoned is passed over; asking for it is no mistake.
        if (number_ < next && record.head.phase == RoundPhase.Abandoned) return;
        // INVARIANT (C-34): finality follows the order of rounds.
        if (number_ != next) revert OutOfOrder(number_, uint64(next));
        if (next > number || record.head.phase != RoundPhase.Challenge) {
            revert WrongPhase(number_, _phaseOf(number_), RoundPhase.Challenge);
        }
        uint256 until = uint256(record.head.clock) + _parameters.challengeWindowSeconds;
        // INVARIANT (C-35): everybody has the whole window to object.
        if (block.timestamp < until) revert ChallengeWindowOpen(number_, uint64(until));
        RoundDisputes memory disputes = record.disputes;
        // INVARIANT (C-39): what was asked for is answered, and whoever asked has had the time to act on it.
        if (disputes.openUpdates + disputes.openPublication != 0) {
            revert ChallengesOpen(number_, disputes.openUpdates + disputes.openPublication);
        }
        if (block.timestamp < disputes.holdUntil) revert ChallengeWindowOpen(number_, disputes.holdUntil);
        record.head.phase = RoundPhase.Final;
        _state.lastFinalRound = uint32(next);
        emit RoundFinalized(number_, record.modelRoot);
        _passAbandoned();
    }

    /// @inheritdoc IFederationActions
    function advance(uint64 number_) external {
        uint256 before = _state.currentRound;
        _advance();
        // INVARIANT (C-36): whoever pokes an old round hears of it.
        if (number_ != before && number_ != _state.currentRound) {
            revert WrongPhase(number_, _phaseOf(number_), RoundPhase.Open);
        }
    }

    /// @dev The phase for an error message, after `_advance`.
    function _phaseOf(uint256 number) private view returns (RoundPhase) {
        return number == 0 || number > _state.currentRound ? RoundPhase.None : _rounds[number].head.phase;
    }
}

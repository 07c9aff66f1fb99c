// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IFederationActions} from "../interfaces/IFederationActions.sol";
import {Cid} from "../libraries/Cid.sol";
import {Role} from "../types/Actors.sol";
import {ServerOptimizer} from "../types/FederationParameters.sol";
import {Publication, RoundPhase} from "../types/Round.sol";
import {RoundDisputes, RoundHead, RoundRecord} from "./FederationStorage.sol";
import {RevealsUnderWay, Submissions} from "./Submissions.sol";

/// @dev The life of a round, in its order: commit, reveal, publish, finalize.
abstract contract Rounds is Submissions, IFederationActions {
    /// @inheritdoc IFederationActions
    function commitUpdate(uint64 number_, bytes32 commitHash) external {
        (uint256 number, RoundHead memory head) = _advanceFrom(number_);
        bytes memory problem = _tryCommit(number_, number, head, msg.sender, commitHash);
        if (problem.length != 0) _raise(problem);
        _storeCommits(number, head);
    }

    /// @inheritdoc IFederationActions
    function revealUpdate(uint64 number_, bytes32 root, uint64 normSq, bytes calldata cid, bytes32 salt) external {
        RevealsUnderWay memory reveals = _revealsUnderWay(number_);
        bytes memory problem = _tryReveal(
            number_,
            reveals,
            msg.sender,
            root,
            normSq,
            cid,
            keccak256(cid),
            salt
        );
        if (problem.length != 0) _raise(problem);
        _storeReveals(reveals);
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
        bool gram = _parameters.rule.preAggregations != 0;
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
        _reserveReward(number_, record);
        _passAbandoned();
    }

    /// @dev What the pool has for the round is its own from now on: rounds that become final later cannot take it.
    function _reserveReward(uint64 number_, RoundRecord storage record) private {
        uint256 wanted = _parameters.roundReward;
        if (wanted == 0) return;
        uint256 pool = _rewardPool;
        // SAFETY: at most `wanted`, which has 96 bits.
        uint96 reward = uint96(pool < wanted ? pool : wanted);
        if (reward == 0) return;
        _rewardPool = pool - reward;
        record.reward = reward;
        emit RewardReserved(number_, reward);
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
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Accusations} from "./federation/Accusations.sol";
import {RoundRecord} from "./federation/FederationStorage.sol";
import {IFederationRewards} from "./interfaces/IFederationRewards.sol";
import {GramFraud} from "./libraries/GramFraud.sol";
import {RevealedUpdate} from "./types/Disputes.sol";
import {Publication} from "./types/Round.sol";

/// @title Rewards and credits
/// @notice A module of Federation (federation/Modules.sol). How a final round's reward is divided; every part is rounded
///         down, and what is left over is the aggregator's:
///
///             rest    = reward - reward * aggregatorRewardBps / 10,000
///             scored  = rest * contributionRewardBps / 10,000
///             score_i = max(0, sum over j of G[i][j])                  all zero: 1 for everybody
///             share_i = (rest - scored) / n + scored * score_i / (sum of all scores)
///
///         The score is the projection of an update on the sum of all: what it contributed to where the round went. The
///         TypeScript twin is protocol/round/rewards.ts.
contract FederationRewards is Accusations, IFederationRewards {
    uint256 private constant WHOLE_BPS = 10_000;

    /// @inheritdoc IFederationRewards
    function fundRewards(uint96 amount, bytes calldata permit) external payable {
        if (amount == 0) revert ZeroAmount();
        _collect(amount, permit);
        uint256 pool = _rewardPool + amount;
        _rewardPool = pool;
        emit RewardsFunded(msg.sender, amount, pool);
    }

    /// @inheritdoc IFederationRewards
    function distributeRewards(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        Publication calldata publication,
        bytes calldata gramRootOpening
    ) external {
        RoundRecord storage record = _rounds[round];
        uint256 reward = record.reward;
        // INVARIANT (C-130): a final round's reward, once: it is set at finality and taken here.
        if (reward == 0) revert NothingToDistribute(round);
        record.reward = 0;
        // INVARIANT (C-131): exactly the updates that counted are paid.
        uint256[] memory rows = _validRows(round, reveals);
        uint256 rest = reward - (reward * _parameters.aggregatorRewardBps) / WHOLE_BPS;
        uint256 scored = (rest * _parameters.contributionRewardBps) / WHOLE_BPS;
        uint256[] memory scores;
        if (_parameters.contributionRewardBps != 0) {
            bytes32 published = keccak256(abi.encode(publication));
            // INVARIANT (C-132): scores are those of the matrix that was published and stood its challenge window.
            if (published != record.publicationHash) revert WrongPublication(record.publicationHash, published);
            scores = _scores(publication, gramRootOpening, rows.length);
        }
        uint256 total = _sum(scores);
        uint256 left = reward;
        for (uint256 i = 0; i < rows.length; ++i) {
            uint256 share = (rest - scored) / rows.length;
            share += total == 0 ? scored / rows.length : (scored * scores[i]) / total;
            left -= share;
            _credit(reveals[rows[i]].participant, share);
        }
        _credit(record.aggregator, left);
        // SAFETY: both are parts of a reward of 96 bits.
        emit RewardsDistributed(round, uint96(left), uint96(reward - left));
    }

    /// @inheritdoc IFederationRewards
    function reclaimRewards() external onlyOwner {
        uint64 totalRounds = _parameters.totalRounds;
        // INVARIANT (C-133): what was promised for rounds to come stays until there are none.
        if (totalRounds == 0 || _state.lastFinalRound < totalRounds) {
            revert RewardsStillNeeded(_state.lastFinalRound, totalRounds);
        }
        uint256 amount = _rewardPool;
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        _rewardPool = 0;
        emit RewardsReclaimed(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @inheritdoc IFederationRewards
    function withdrawCredit() external {
        uint256 amount = _credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        // INVARIANT (C-125): first it is gone, then it is paid: whoever re-enters finds nothing.
        _credits[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @inheritdoc IFederationRewards
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /// @inheritdoc IFederationRewards
    function rewardPool() external view returns (uint256) {
        return _rewardPool;
    }

    /// @inheritdoc IFederationRewards
    function rewardOf(uint64 round) external view returns (uint96) {
        return _rounds[round].reward;
    }

    function _scores(
        Publication calldata publication,
        bytes calldata gramRootOpening,
        uint256 n
    ) private view returns (uint256[] memory scores) {
        int256[] memory gram = GramFraud.openRoot(gramRootOpening, _gramShape(publication, n));
        scores = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            int256 score;
            // SAFETY: at most 100 numbers of 65 bits.
            unchecked {
                for (uint256 j = i * n; j < (i + 1) * n; ++j) score += gram[j];
            }
            if (score > 0) scores[i] = uint256(score);
        }
    }

    function _sum(uint256[] memory scores) private pure returns (uint256 total) {
        for (uint256 i = 0; i < scores.length; ++i) total += scores[i];
    }
}

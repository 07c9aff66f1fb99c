// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RevealedUpdate} from "../types/Disputes.sol";
import {Publication} from "../types/Round.sol";

/// @title Rewards of final rounds, and everything that is paid out on request
interface IFederationRewards {
    /// @notice Adds to the pool that rewards are paid from. Anybody.
    function fundRewards(uint96 amount, bytes calldata permit) external payable;

    /// @notice Credits a final round's reward to its aggregator and to the participants whose updates counted. Anybody,
    ///         once.
    /// @param publication and `gramRootOpening` (as `root` in MixingProof): only when a part follows the contribution
    ///        score; else empty
    function distributeRewards(
        uint64 round,
        RevealedUpdate[] calldata reveals,
        Publication calldata publication,
        bytes calldata gramRootOpening
    ) external;

    /// @notice Owner: takes back what is left in the pool once the last round is final. (A federation without a last round
    ///         keeps it for its rounds.)
    function reclaimRewards() external;

    /// @notice Pays out what the sender has earned: rewards, bonds, challengers' parts of slashed stakes.
    function withdrawCredit() external;

    function creditOf(address account) external view returns (uint256);
    function rewardPool() external view returns (uint256);
    /// @notice What is reserved for a round and not distributed yet.
    function rewardOf(uint64 round) external view returns (uint96);
}

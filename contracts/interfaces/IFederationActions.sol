// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";
import {Publication} from "../types/Round.sol";
import {IFederationEvents} from "./IFederationEvents.sol";

/// @title What one can do in a round, in the order of its life
interface IFederationActions is IFederationEvents {
    /// @notice Called once by the factory, in the transaction that makes the clone.
    function initialize(FederationParameters calldata parameters_, address owner_, address[] calldata members) external;

    /// @notice Seals the sender's update: `commitHash = keccak256(abi.encode(chainId, federation, round, baseModelRoot,
    ///         participant, root, normSq, keccak256(cid), salt))`.
    /// @dev Reverts with WrongPhase, EmptyCommitHash, NotRegistered, StakeTooLow, NotExpected, AlreadyCommitted.
    function commitUpdate(uint64 round, bytes32 commitHash) external;

    /// @notice Opens the sender's sealed update. The payload must be retrievable under `cid` before this call.
    /// @param root root of the update's Merkle-sum tree
    /// @param normSq its squared L2 norm, the tree's sum
    /// @param cid 36-byte binary CIDv1 of the payload
    /// @param salt what the commit was sealed with
    /// @dev Reverts with WrongPhase, NotCommitted, AlreadyRevealed, ZeroRoot, NormAboveBound, InvalidCid,
    ///      CommitHashMismatch.
    function revealUpdate(uint64 round, bytes32 root, uint64 normSq, bytes calldata cid, bytes32 salt) external;

    /// @notice Publishes the round's model. Only the leader of the present turn; opens the next round.
    /// @dev Reverts with WrongPhase, NotTheLeader, NotRegistered, SeedNotFixed, ZeroRoot, InvalidCid.
    function publishRound(uint64 round, Publication calldata publication) external;

    /// @notice Makes a round final after its challenge window. Anyone, in order of rounds; abandoned rounds are passed
    ///         over.
    function finalizeRound(uint64 round) external;

    /// @notice Does the transitions whose deadline has passed, charges missed turns, fixes the seed. Anyone, any time;
    ///         `round` must be the current round.
    function advance(uint64 round) external;
}

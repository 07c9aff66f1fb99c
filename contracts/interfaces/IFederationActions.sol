// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";
import {Publication} from "../types/Round.sol";
import {Role} from "../types/Actors.sol";
import {IFederationEvents} from "./IFederationEvents.sol";

/// @title What one can do in a federation, in the order of a round's life
interface IFederationActions is IFederationEvents {
    /// @notice Called once by the factory, in the transaction that makes the clone.
    function initialize(FederationParameters calldata parameters_, address owner_, address[] calldata members) external;

    // ---- membership

    /// @notice Owner: puts accounts on the allow-list (for either role). Refuses one that is on it already.
    function addMembers(address[] calldata accounts) external;

    /// @notice Owner: takes accounts off the allow-list. Whoever is registered leaves as if it had asked to exit, but
    ///         never in the middle of a round it is expected in: the owner cannot choose who counts.
    function removeMembers(address[] calldata accounts) external;

    /// @notice Registers the sender as participant with `amount` at stake (at least `participantStake`). It is
    ///         expected from the next list on: in the round that is open if no commit has arrived yet, else in the
    ///         next.
    /// @param amount in the chain's own coin (sent with the call, exactly), or of the federation's token (which the
    ///        sender has approved, or approves by `permit`)
    /// @param permit empty, or abi.encode(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) of ERC-2612;
    ///        one that fails counts for nothing, the allowance decides
    function registerParticipant(string calldata gateway, uint96 amount, bytes calldata permit) external payable;

    /// @notice Registers the sender as aggregator with `amount` at stake (at least `aggregatorStake`). It joins the
    ///         rotation from the next round on, or at once when nobody else stands in it.
    function registerAggregator(string calldata gateway, uint96 amount, bytes calldata permit) external payable;

    /// @notice Announces where the sender's payloads are fetched from now on.
    function setGateway(string calldata gateway) external;

    /// @notice Adds to the sender's stake in a role. A participant below `participantStake` becomes active again when
    ///         it reaches it.
    function topUp(Role role, uint96 amount, bytes calldata permit) external payable;

    // ---- a round

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

    // ---- stakes

    /// @notice Charges a participant that committed and did not reveal. Anyone. (Its next commit, top-up or exit does
    ///         the same.)
    function settleMissedReveal(address participant) external;

    /// @notice Asks to leave a role. A participant is not expected any more (a commit that is not yet due for reveal is
    ///         taken back); an aggregator serves the current round to its end.
    function requestExit(Role role) external;

    /// @notice Pays the sender's stake out, when the last round it answers for is final and the delay is over.
    function withdraw(Role role) external;
}

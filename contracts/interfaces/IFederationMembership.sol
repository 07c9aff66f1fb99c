// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Role} from "../types/Actors.sol";
import {IFederationEvents} from "./IFederationEvents.sol";

/// @title Who takes part, and what they put at stake
interface IFederationMembership is IFederationEvents {
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

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FederationParameters} from "../types/FederationParameters.sol";
import {RoundPhase, RoundView} from "../types/Round.sol";
import {AggregatorView, ParticipantView} from "../types/Actors.sol";

/// @title What one can ask a federation. Everything is answered as of now.
interface IFederationViews {
    /// @notice Everything that was fixed when the federation was created.
    function parameters() external view returns (FederationParameters memory);
    /// @notice Whether the account may register: anybody in an open federation, else who is on the allow-list.
    function isMember(address account) external view returns (bool);
    /// @notice The account as participant; all zero when it is not registered.
    function participant(address account) external view returns (ParticipantView memory);
    /// @notice The participant with this index; all zero when the index is free.
    function participantAt(uint16 index) external view returns (ParticipantView memory);
    /// @notice One more than the greatest index ever given; an index in between may be free (account zero).
    function participantCount() external view returns (uint16);
    /// @notice Participants that are expected in a round that opens now.
    function activeParticipantCount() external view returns (uint16);
    /// @notice All registered aggregators in order of registration.
    function aggregators() external view returns (AggregatorView[] memory);
    /// @notice The account as aggregator; all zero when it is not registered.
    function aggregator(address account) external view returns (AggregatorView memory);
    /// @notice The round that takes commits, reveals or a publication now; 0 before round 1, the last one after all are
    ///         published.
    function currentRound() external view returns (uint64);
    /// @notice Every round up to this one is final (or abandoned for good).
    function lastFinalRound() external view returns (uint64);
    /// @notice The round's phase; None for a round that is not open.
    function currentPhase(uint64 round) external view returns (RoundPhase);
    /// @notice The round with its deadline, counts and roots; only number and phase for one that is not open.
    function round(uint64 number) external view returns (RoundView memory);
    /// @notice Who may publish the round now; zero when nobody may.
    function leader(uint64 round) external view returns (address);
    /// @notice Whether the account's latest commit belongs to the round's present opening.
    function hasCommitted(uint64 round, address account) external view returns (bool);
    /// @notice Whether that commit was revealed.
    function hasRevealed(uint64 round, address account) external view returns (bool);
    /// @notice The account's latest commit hash, whatever round it was for.
    function commitHashOf(address account) external view returns (bytes32);
    /// @notice Wei burned as penalties since creation.
    function totalBurned() external view returns (uint256);
}

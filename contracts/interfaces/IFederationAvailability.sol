// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Answer, Challenge, ChunkKind, RevealedUpdate} from "../types/Disputes.sol";
import {Publication} from "../types/Round.sol";

/// @title Availability: who cannot fetch a chunk asks for it on the chain
/// @notice The owner, or anybody who has it, answers with the chunk and its path and is paid the bond. No answer in
///         time convicts the owner. So nobody can be left out for "could not be fetched" who answers.
interface IFederationAvailability {
    /// @notice Asks for one chunk. `msg.value` (or the token amount: exactly `availabilityBond`) is the bond.
    /// @param index the participant's index, for Update
    /// @param chunk index of the chunk; for Gram of the leaf
    /// @param reveals for Update: the round's reveals; else empty
    /// @param publication for Model, State, Gram: what was published; else empty
    function challengeAvailability(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk,
        RevealedUpdate[] calldata reveals,
        Publication calldata publication
    ) external payable returns (bytes32 id);

    /// @notice Answers challenges, anybody's. Reverts when none of the answers was accepted.
    function answerChallenges(Answer[] calldata answers) external;

    /// @notice After the deadline: convicts who did not answer, or returns the bond when what it was about is void.
    function settleChallenge(bytes32 id) external;

    function challenge(bytes32 id) external view returns (Challenge memory);
    function challengeId(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk
    ) external view returns (bytes32);
    /// @notice The least bond for a challenge of this kind in this round, now.
    function availabilityBond(ChunkKind kind, uint64 round) external view returns (uint96);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Answer, Challenge, ChunkKind, RevealedUpdate} from "../types/Disputes.sol";
import {Publication} from "../types/Round.sol";

/// @title Availability: who cannot fetch a chunk asks for it on the chain
/// @notice The owner, or anybody who has it, answers with the chunk and its path and is paid the bond. No answer in
///         time convicts the owner. So nobody can be left out for "could not be fetched" who answers.
interface IFederationAvailability {
    /// @notice Asks for one chunk: of an update while its round is in Aggregate or Challenge, of what was published in
    ///         Challenge; in Challenge until two windows after the publication. Everything that is sent is the bond, in
    ///         the chain's coin at least `availabilityBond`; of a token exactly that much is taken.
    /// @param index the participant's index, for Update
    /// @param chunk index of the chunk; for Gram of the leaf
    /// @param reveals for Update: the round's reveals; else empty
    /// @param publication for Model, State, Gram: what was published; else empty
    /// @return id of the challenge; the same chunk can be asked for once
    /// @dev Reverts with WrongBond, WrongPhase, ChallengeNotAllowed, WrongReveals, WrongPublication,
    ///      SubmissionNotFound, SubmissionAlreadyVoided, ChallengeExists.
    function challengeAvailability(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk,
        RevealedUpdate[] calldata reveals,
        Publication calldata publication
    ) external payable returns (bytes32 id);

    /// @notice Answers challenges, anybody's: who answers is credited the bond. One that is not accepted is passed over
    ///         with AnswerRefused (ChallengeNotFound, ChallengeAnsweredAlready, AnswerTooLate, BadSignature,
    ///         ProofDoesNotOpen). Reverts when none was accepted.
    function answerChallenges(Answer[] calldata answers) external;

    /// @notice After the deadline: returns the bond and, unless what it was about is void, convicts who did not answer.
    /// @dev Reverts with ChallengeNotFound, AnswerWindowOpen.
    function settleChallenge(bytes32 id) external;

    function challenge(bytes32 id) external view returns (Challenge memory);
    /// @notice The id that a challenge of this chunk has, in the round's present opening and publication.
    function challengeId(
        ChunkKind kind,
        uint64 round,
        uint16 index,
        uint32 chunk
    ) external view returns (bytes32);
    /// @notice The least bond for a challenge of this kind in this round, now: `answerGas` times the greater of
    ///         `bondGasPrice` and, in the chain's coin, twice the block's base fee.
    /// @dev Many nodes answer `eth_call` as if the base fee were zero: who sends a challenge computes with its own.
    function availabilityBond(ChunkKind kind, uint64 round) external view returns (uint96);
    /// @notice What an answer of this kind costs at most, alone in its transaction, at the prices of EIP-7623.
    function answerGas(ChunkKind kind, uint64 round) external view returns (uint256);
}
